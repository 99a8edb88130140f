// test-deadline: 120s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { EventDefinition } from '../../../core/events/definition.ts';
import { createRegistry, registry } from '../../../core/events/registry.ts';
import { eventsDocument } from '../../events-document.ts';
import type { Environment } from '../settings.ts';
import { checks } from './checks/all.ts';
import { graphFaults, seed } from './faults.ts';
import { type Graph, ofType, shown } from './graph.ts';
import { contextOf, judge } from './judge.ts';
import { runWithMocks } from './run-with-mocks.ts';

/** One run of the program serves every test that looks at the same stack. */
const graphs = new Map<Environment, Graph>();
async function graphOf(environment: Environment): Promise<Graph> {
  const graph = graphs.get(environment) ?? (await runWithMocks({ environment }));
  graphs.set(environment, graph);
  return graph;
}

for (const environment of ['dev', 'staging', 'production'] satisfies Environment[])
  test(`the stack ${environment} holds what every check asks for`, async () => {
    const graph = await graphOf(environment);
    assert.ok(graph.length > 250, `${graph.length} resources`);
    assert.equal(await judge(graph, contextOf(environment)), []);
  });

test('an event that is added to the registry gets its queues, alarms, policies, panels and documents with no other change', async () => {
  const model = registry.get('AdPerformanceDataIngestedEvent');
  assert.ok(model);
  const [handler] = model.handlers;
  const twelfth: EventDefinition = {
    ...model,
    id: 'evt_invented_001',
    name: 'InventedEvent',
    routingKey: 'something.invented',
    queue: 'InventedQueue',
    deadLetterQueue: 'InventedDLQ',
    topic: 'InventedTopic',
    handlers: [{ ...handler, name: 'handleInvention' }],
  };
  const larger = createRegistry([...registry.values(), twelfth]);
  const before = await graphOf('production');
  const graph = await runWithMocks({ environment: 'production', registry: larger });
  assert.equal(await judge(graph, contextOf('production', larger)), []);
  const known = new Set(before.map(({ urn }) => urn));
  const added = graph
    .filter(({ urn }) => !known.has(urn))
    .map(({ type, name }) => `${type.split(':').at(-1) ?? ''} ${name}`);
  assert.equal(added.toSorted(), [
    'MetricAlarm InventedDLQ-not-empty',
    'MetricAlarm InventedEvent-late',
    'MetricAlarm InventedQueue-deep',
    'MetricAlarm InventedQueue-old',
    'MetricAlarm InventedQueue-poller-silent',
    'MetricAlarm InventedTopic-notifications-failed',
    'MetricAlarm handleInvention-errors',
    'Policy worker-InventedQueue',
    'Queue InventedDLQ',
    'Queue InventedQueue',
    'QueuePolicy InventedDLQ',
    'QueuePolicy InventedQueue',
    'RedriveAllowPolicy InventedDLQ',
    'Topic InventedTopic',
    'TopicPolicy InventedTopic',
    'TopicSubscription InventedQueue',
  ]);
  const [dashboard] = ofType(graph, 'aws:cloudwatch/dashboard:Dashboard');
  assert.match(shown(dashboard?.inputs['dashboardBody']), '"title":"InventedQueue"');
  assert.match(eventsDocument(larger), /^## InventedEvent\n[\s\S]*`InventedQueue`[\s\S]*`InventedDLQ`/m);
  // Judged by the smaller registry, what is too much is found too.
  const complaints = await judge(graph, contextOf('production'));
  assert.ok(complaints.some(({ what }) => what.includes('InventedQueue')));
});

test(`each of ${graphFaults.length} seeded mistakes is noticed by the check that is there for it`, async () => {
  const graph = await graphOf('production');
  const context = contextOf('production');
  for (const fault of graphFaults) {
    const responsible = checks.filter(({ name }) => name.includes(fault.caughtBy));
    const faulty = seed(graph, fault);
    const complaints: string[] = [];
    for (const check of responsible) complaints.push(...(await check.complaints(faulty, context)));
    assert.ok(complaints.length > 0, `${fault.mistake}: expected "${fault.caughtBy}" to complain`);
  }
});

test('every check is seen to fail', () => {
  const unproven = checks.filter(({ name }) => !graphFaults.some(({ caughtBy }) => name.includes(caughtBy)));
  assert.equal(
    unproven.map(({ name }) => name),
    [],
  );
});

test('services come after the capacity that their tasks run on and the alarms that they name; workers after the gateway', async () => {
  const graph = await graphOf('production');
  // A component is registered once what it depends on is there, and what is in it after it.
  const after = (type: string, kind: string) =>
    ofType(graph, `laneway:${type}`).some(({ dependsOn }) => dependsOn.some((urn) => urn.includes(kind)));
  for (const service of ['Gateway', 'Worker', 'Console'])
    for (const kind of [':ClusterCapacityProviders::', ':MetricAlarm::lane-blocked'])
      assert.ok(after(service, kind), `${service} ${kind}`);
  for (const service of ['Worker', 'Console']) assert.ok(after(service, ':Service::gateway'), service);
});

test('before the first release there are repositories to push to, and nothing that would run an image', async () => {
  const graph = await runWithMocks({ environment: 'production', config: { 'laneway:release': 'none' } });
  const runs = ['ecs/service', 'ecs/taskDefinition', 'lambda/function', 'appautoscaling/'];
  assert.equal(
    graph.filter(({ type }) => runs.some((kind) => type.includes(kind))).map(({ urn }) => urn),
    [],
  );
  assert.equal(
    ofType(graph, 'aws:ecr/repository:Repository').map(({ inputs }) => inputs['name']),
    ['laneway-production/worker', 'laneway-production/gateway'],
  );
  // The rest of the first rollout is all that is left: nothing that is made before is made again or otherwise after.
  const after = new Map((await graphOf('production')).map(({ urn, inputs }) => [urn, JSON.stringify(inputs)]));
  assert.equal(
    graph.filter(({ urn, inputs }) => after.get(urn) !== JSON.stringify(inputs)).map(({ urn }) => urn),
    [],
  );
});

test('a setting that is missing, unknown or wrong is named', async () => {
  const config = { 'laneway:domian': 'x', 'laneway:accountId': '12', 'laneway:opsPassword': '' };
  try {
    await runWithMocks({ environment: 'dev', config });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Error);
    assert.match((error as Error).message, /domian/);
    assert.match((error as Error).message, /laneway:accountId/);
  }
});

test.run();
