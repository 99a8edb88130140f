const region = 'eu-central-1';
const account = '123456789012';

type Inputs = Readonly<Record<string, unknown>>;

/** What AWS would answer with for what only it knows, plausible enough for policies and addresses to be judged. */
export function mockOutputs(type: string, name: string, inputs: Inputs): { id: string; state: Inputs } {
  const physical = physicalName(inputs) ?? name;
  const arn = arnOf(type, physical);
  const id = type === 'aws:sqs/queue:Queue' ? `https://sqs.${region}.amazonaws.com/${account}/${physical}` : physical;
  return { id, state: { ...inputs, arn, id, ...specific(type, name, physical, arn) } };
}

function physicalName(inputs: Inputs): string | undefined {
  const keys = ['name', 'bucket', 'clusterIdentifier', 'replicationGroupId', 'family', 'functionName'];
  return keys.map((key) => inputs[key]).find((value): value is string => typeof value === 'string');
}

function arnOf(type: string, physical: string): string {
  const [, module = '', kind = ''] = /^aws:(\w+)\/\w+:(\w+)$/.exec(type) ?? [];
  switch (kind) {
    case 'Bucket':
      return `arn:aws:s3:::${physical}`;
    case 'Table':
      return `arn:aws:dynamodb:${region}:${account}:table/${physical}`;
    case 'Role':
      return `arn:aws:iam::${account}:role/${physical}`;
    case 'Queue':
    case 'Topic':
      return `arn:aws:${module}:${region}:${account}:${physical}`;
    case 'LogGroup':
      return `arn:aws:logs:${region}:${account}:log-group:${physical}`;
    case 'Secret':
      return `arn:aws:secretsmanager:${region}:${account}:secret:${physical}-AbCdEf`;
    default:
      return `arn:aws:${module}:${region}:${account}:${kind.toLowerCase()}/${physical}`;
  }
}

function specific(type: string, name: string, physical: string, arn: string): Inputs {
  switch (type) {
    case 'aws:sqs/queue:Queue':
      return { url: `https://sqs.${region}.amazonaws.com/${account}/${physical}` };
    case 'aws:kms/key:Key':
      return { keyId: `${name}-key` };
    case 'aws:rds/cluster:Cluster':
      return {
        endpoint: `${physical}.cluster-example.${region}.rds.amazonaws.com`,
        readerEndpoint: `${physical}.cluster-ro-example.${region}.rds.amazonaws.com`,
        clusterResourceId: 'cluster-EXAMPLE',
        masterUserSecrets: [{ secretArn: `arn:aws:secretsmanager:${region}:${account}:secret:rds!cluster-example` }],
      };
    case 'aws:elasticache/replicationGroup:ReplicationGroup':
      return { primaryEndpointAddress: `master.${physical}.example.euc1.cache.amazonaws.com` };
    case 'aws:ecr/repository:Repository':
      return { repositoryUrl: `${account}.dkr.ecr.${region}.amazonaws.com/${physical}` };
    case 'aws:secretsmanager/secretVersion:SecretVersion':
      return { versionId: 'f1e2d3c4-0000-4000-8000-000000000001' };
    case 'aws:acm/certificate:Certificate':
      return {
        domainValidationOptions: [
          { resourceRecordName: '_proof.example.com', resourceRecordType: 'CNAME', resourceRecordValue: 'proof.aws' },
        ],
      };
    case 'aws:route53/record:Record':
      return { fqdn: physical };
    case 'aws:sesv2/emailIdentity:EmailIdentity':
      return { dkimSigningAttributes: { tokens: ['token1', 'token2', 'token3'] } };
    case 'aws:lb/loadBalancer:LoadBalancer':
      return {
        arnSuffix: `app/${physical}/0123456789abcdef`,
        dnsName: `${physical}.elb.amazonaws.com`,
        zoneId: 'Z215JYRZR1TBD5',
      };
    case 'aws:lb/targetGroup:TargetGroup':
      return { arnSuffix: `targetgroup/${physical}/0123456789abcdef` };
    case 'aws:sns/topic:Topic':
      return { arn };
    default:
      return {};
  }
}
