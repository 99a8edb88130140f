import { ofType } from '../graph.ts';
import { type Check, complain } from './check.ts';

const holdsData = [
  'aws:rds/cluster:Cluster',
  'aws:dynamodb/table:Table',
  'aws:kms/key:Key',
  'aws:ecr/repository:Repository',
];

export const dataIsProtected: Check = {
  name: 'what holds data is protected from deletion, in staging and production',
  complaints: (graph, { size }) =>
    size.protectsData
      ? [
          ...holdsData.flatMap((type) =>
            ofType(graph, type)
              .filter(({ protect }) => !protect)
              .map(({ name }) => `${name} (${type}) goes with \`pulumi destroy\``),
          ),
          ...ofType(graph, 'aws:rds/cluster:Cluster')
            .filter(({ inputs }) => inputs['deletionProtection'] !== true || inputs['skipFinalSnapshot'] !== false)
            .map(({ name }) => `${name} can be deleted without a trace`),
          ...ofType(graph, 'aws:dynamodb/table:Table')
            .filter(({ inputs }) => inputs['deletionProtectionEnabled'] !== true)
            .map(({ name }) => `table ${name} can be deleted`),
        ]
      : [],
};

export const dataIsBackedUp: Check = {
  name: 'database and tables can be restored to a point in time; DynamoDB forgets what has expired',
  complaints: (graph) => [
    ...ofType(graph, 'aws:rds/cluster:Cluster')
      .filter(({ inputs }) => Number(inputs['backupRetentionPeriod'] ?? 0) < 1)
      .map(({ name }) => `${name} has no backups`),
    ...ofType(graph, 'aws:dynamodb/table:Table').flatMap(({ name, inputs }) => [
      ...complain(
        !JSON.stringify(inputs['pointInTimeRecovery'] ?? '').includes('true'),
        `table ${name} has no backups`,
      ),
      ...complain(!JSON.stringify(inputs['ttl'] ?? '').includes('expiresAtSeconds'), `table ${name} grows for ever`),
    ]),
  ],
};

export const databaseIsWatchedAndClosed: Check = {
  name: 'Postgres takes IAM and TLS only, keeps its owner’s password itself, and shows what it does',
  complaints: (graph) => [
    ...ofType(graph, 'aws:rds/cluster:Cluster').flatMap(({ name, inputs }) => [
      ...complain(inputs['iamDatabaseAuthenticationEnabled'] !== true, `${name} does not take IAM`),
      ...complain(inputs['manageMasterUserPassword'] !== true, `${name}: its owner’s password is not rotated`),
    ]),
    ...ofType(graph, 'aws:rds/clusterParameterGroup:ClusterParameterGroup')
      .filter(({ inputs }) => !JSON.stringify(inputs['parameters']).includes('{"name":"rds.force_ssl","value":"1"}'))
      .map(({ name }) => `${name} lets connections in without TLS`),
    ...ofType(graph, 'aws:rds/clusterInstance:ClusterInstance')
      .filter(({ inputs }) => inputs['performanceInsightsEnabled'] !== true)
      .map(({ name }) => `${name} does not show what it is busy with`),
  ],
};

export const cacheRefusesToForget: Check = {
  name: 'Redis never evicts, fails over to another zone where there are several nodes, and wants a token',
  complaints: (graph) => [
    ...complain(
      !ofType(graph, 'aws:elasticache/parameterGroup:ParameterGroup').some(({ inputs }) =>
        JSON.stringify(inputs['parameters']).includes('{"name":"maxmemory-policy","value":"noeviction"}'),
      ),
      'Redis would evict activations',
    ),
    ...ofType(graph, 'aws:elasticache/replicationGroup:ReplicationGroup').flatMap(({ name, inputs }) => [
      ...complain(inputs['authToken'] === undefined, `${name} takes everybody`),
      ...complain(
        Number(inputs['numCacheClusters']) > 1 &&
          (inputs['multiAzEnabled'] !== true || inputs['automaticFailoverEnabled'] !== true),
        `${name} does not fail over`,
      ),
    ]),
  ],
};

export const rolloutsAreTakenBack: Check = {
  name: 'a rollout that does not come up, or sets off an alarm, is taken back; the database is migrated before',
  complaints: (graph) => {
    const services = ofType(graph, 'aws:ecs/service:Service');
    const gateway = services.find(({ name }) => name === 'gateway');
    const alarms = new Set(ofType(graph, 'aws:cloudwatch/metricAlarm:MetricAlarm').map(({ inputs }) => inputs['name']));
    return [
      ...services.flatMap(({ name, inputs }) => {
        const breaker = JSON.stringify(inputs['deploymentCircuitBreaker'] ?? '');
        const named = (inputs['alarms'] as { alarmNames?: string[]; rollback?: boolean } | undefined) ?? {};
        return [
          ...complain(!breaker.includes('"rollback":true'), `${name} stays down after a bad rollout`),
          ...complain(
            inputs['alarms'] !== undefined && (named.alarmNames ?? []).length === 0,
            `${name} watches an empty list of alarms, which ECS refuses`,
          ),
          ...complain(
            name !== 'console' && ((named.alarmNames ?? []).length === 0 || named.rollback !== true),
            `no alarm takes a rollout of ${name} back`,
          ),
          ...(named.alarmNames ?? [])
            .filter((alarm) => !alarms.has(alarm))
            .map((alarm) => `${name} watches the alarm ${alarm}, which is not there`),
        ];
      }),
      ...complain(
        !JSON.stringify(gateway?.inputs['deploymentConfiguration'] ?? '').includes('PRE_SCALE_UP'),
        'the gateway rolls out without migrating the database first',
      ),
    ];
  },
};

export const logsEnd: Check = {
  name: 'log groups end after a time, and the lines of our processes are archived',
  complaints: (graph) => [
    ...ofType(graph, 'aws:cloudwatch/logGroup:LogGroup')
      .filter(({ inputs }) => Number(inputs['retentionInDays'] ?? 0) <= 0)
      .map(({ name }) => `log group ${name} is kept for ever`),
    ...complain(
      ofType(graph, 'aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter').length < 4,
      'lines of a process are not archived',
    ),
  ],
};
