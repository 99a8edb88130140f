import { type Graph, isSecret, ofType, statementsOf, shown } from '../graph.ts';
import { type Check, complain } from './check.ts';

/** Inputs that name a key of ours, by type of resource. */
const keyInputs: Readonly<Record<string, string>> = {
  'aws:sqs/queue:Queue': 'kmsMasterKeyId',
  'aws:sns/topic:Topic': 'kmsMasterKeyId',
  'aws:rds/cluster:Cluster': 'kmsKeyId',
  'aws:elasticache/replicationGroup:ReplicationGroup': 'kmsKeyId',
  'aws:secretsmanager/secret:Secret': 'kmsKeyId',
  'aws:cloudtrail/trail:Trail': 'kmsKeyId',
};

/** Log groups that services of AWS write: their own names, AWS's own encryption. */
const ownedByAws = /^(\/aws\/lambda\/|aws-waf-logs-)/;

export const everythingIsEncrypted: Check = {
  name: 'what is stored or under way is encrypted with a key of ours',
  complaints: (graph) => [
    ...Object.entries(keyInputs).flatMap(([type, key]) =>
      ofType(graph, type)
        .filter(({ inputs }) => !shown(inputs[key]).startsWith('arn:aws:kms:'))
        .map(({ name }) => `${name} (${type}) is not encrypted with a key of ours`),
    ),
    ...ofType(graph, 'aws:dynamodb/table:Table')
      .filter(({ inputs }) => !JSON.stringify(inputs['serverSideEncryption'] ?? '').includes('arn:aws:kms:'))
      .map(({ name }) => `table ${name} is not encrypted with a key of ours`),
    ...ofType(graph, 'aws:cloudwatch/logGroup:LogGroup')
      .filter(({ inputs }) => !ownedByAws.test(shown(inputs['name'])) && inputs['kmsKeyId'] === undefined)
      .map(({ name }) => `log group ${name} is not encrypted with a key of ours`),
    ...ofType(graph, 'aws:s3/bucket:Bucket')
      .filter(({ name }) => !configured(graph, 'BucketServerSideEncryptionConfiguration', name))
      .map(({ name }) => `bucket ${name} is not encrypted`),
    ...ofType(graph, 'aws:rds/cluster:Cluster')
      .filter(({ inputs }) => inputs['storageEncrypted'] !== true)
      .map(({ name }) => `database ${name} is not encrypted`),
    ...ofType(graph, 'aws:elasticache/replicationGroup:ReplicationGroup')
      .filter(({ inputs }) => inputs['transitEncryptionEnabled'] !== true || inputs['atRestEncryptionEnabled'] !== true)
      .map(({ name }) => `cache ${name} is not encrypted at rest and under way`),
  ],
};

const configured = (graph: Graph, kind: string, name: string): boolean =>
  graph.some((resource) => resource.type.endsWith(`:${kind}`) && resource.name === name);

export const messagesKeyServesSns: Check = {
  name: 'SNS and CloudWatch may use the key of queues and topics: otherwise messages vanish without an error',
  complaints: (graph) => {
    const used = new Set(
      [...ofType(graph, 'aws:sqs/queue:Queue'), ...ofType(graph, 'aws:sns/topic:Topic')].map(({ inputs }) =>
        shown(inputs['kmsMasterKeyId']),
      ),
    );
    return ofType(graph, 'aws:kms/key:Key')
      .filter(({ name }) => [...used].some((arn) => arn.endsWith(`/${name}`)))
      .flatMap((key) =>
        ['sns.amazonaws.com', 'cloudwatch.amazonaws.com'].flatMap((service) => {
          const granted = statementsOf(key)
            .filter(({ effect, principals }) => effect === 'Allow' && principals.includes(service))
            .flatMap(({ actions }) => actions);
          return ['kms:Decrypt', 'kms:GenerateDataKey*']
            .filter((action) => !granted.includes(action))
            .map((action) => `key ${key.name} refuses ${action} to ${service}`);
        }),
      );
  },
};

/** What each service does with the key before anything is stored under it: without one of them creating fails. */
const dataKeyUsers = [
  { service: 'logs.', actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey*', 'kms:DescribeKey'] },
  { service: 'cloudtrail.', actions: ['kms:Decrypt', 'kms:GenerateDataKey*', 'kms:DescribeKey'] },
] as const;

export const dataKeyServesLogsAndTrail: Check = {
  name: 'CloudWatch Logs and CloudTrail may use the key of what is stored, and look at it before',
  complaints: (graph) => {
    const key = ofType(graph, 'aws:kms/key:Key').find(({ name }) => name === 'keys-data');
    const statements = key === undefined ? [] : statementsOf(key);
    return dataKeyUsers.flatMap(({ service, actions }) => {
      const granted = statements
        .filter(({ principals }) => principals.some((principal) => principal.startsWith(service)))
        .flatMap((statement) => statement.actions);
      return actions
        .filter((action) => !granted.includes(action))
        .map((action) => `the key of what is stored refuses ${action} to ${service}amazonaws.com`);
    });
  },
};

/** Where secrets are handed to AWS: they must be marked as such, or they lie in the state in the clear. */
const secretInputs = [
  ['aws:secretsmanager/secretVersion:SecretVersion', 'secretString'],
  ['aws:elasticache/replicationGroup:ReplicationGroup', 'authToken'],
] as const;

export const secretsStaySecret: Check = {
  name: 'secrets are marked as secrets, and no container is told one in its environment',
  complaints: (graph) => [
    ...secretInputs.flatMap(([type, key]) =>
      ofType(graph, type)
        .filter(({ inputs }) => !isSecret(inputs[key]))
        .map(({ name }) => `${name}: ${key} would lie in the state in the clear`),
    ),
    ...ofType(graph, 'aws:sns/topicSubscription:TopicSubscription')
      .filter(({ inputs }) => inputs['protocol'] === 'https' && !isSecret(inputs['endpoint']))
      .map(({ name }) => `${name}: whoever reads its address in the state can raise incidents`),
    // The mark spreads to the whole document: a secret in the environment makes all of the definition one.
    ...ofType(graph, 'aws:ecs/taskDefinition:TaskDefinition')
      .filter(({ inputs }) => isSecret(inputs['containerDefinitions']))
      .map(({ name }) => `${name}: a container is told a secret in its environment`),
  ],
};

export const bucketsAreClosed: Check = {
  name: 'every bucket refuses the public, is versioned, and expires or archives what it holds',
  complaints: (graph) =>
    ofType(graph, 'aws:s3/bucket:Bucket').flatMap(({ name }) => {
      const block = graph.find((r) => r.type.endsWith(':BucketPublicAccessBlock') && r.name === name)?.inputs ?? {};
      const closed = ['blockPublicAcls', 'blockPublicPolicy', 'ignorePublicAcls', 'restrictPublicBuckets'];
      return [
        ...complain(!closed.every((key) => block[key] === true), `bucket ${name} can be made public`),
        ...['BucketVersioning', 'BucketLifecycleConfiguration', 'BucketPolicy']
          .filter((kind) => !configured(graph, kind, name))
          .map((kind) => `bucket ${name} has no ${kind}`),
      ];
    }),
};

export const bucketsAreOurs: Check = {
  name: 'the names of buckets are ours alone: all of AWS shares them',
  complaints: (graph, { names }) => {
    const ours = [names.deadLetterBucket, names.archiveBucket, names.auditBucket, names.accessLogsBucket];
    return ofType(graph, 'aws:s3/bucket:Bucket')
      .map(({ inputs }) => shown(inputs['bucket']))
      .filter((bucket) => !ours.includes(bucket) || !/-\d{12}$/.test(bucket))
      .map((bucket) => `somebody else may have a bucket ${bucket}`);
  },
};

export const auditIsKept: Check = {
  name: 'the audit archive cannot be changed and goes to Glacier',
  complaints: (graph) => {
    const lock = ofType(graph, 'aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration');
    const audit = ofType(graph, 'aws:s3/bucket:Bucket').find(({ name }) => name.endsWith('-audit'));
    const lifecycle = ofType(graph, 'aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration').find(
      ({ name }) => name.endsWith('-audit'),
    );
    return [
      ...complain(audit?.inputs['objectLockEnabled'] !== true || lock.length === 0, 'audit records can be deleted'),
      ...complain(!JSON.stringify(lifecycle?.inputs ?? {}).includes('GLACIER'), 'audit records never go to Glacier'),
    ];
  },
};
