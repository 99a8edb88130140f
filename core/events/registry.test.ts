import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { type EventDefinition, thresholds } from './definition.ts';
import { createRegistry, registry } from './registry.ts';
import { topologyOf } from './topology.ts';
import { compareVersions, readableAs, upcast } from './versions.ts';

const event = (overrides: Partial<EventDefinition> = {}): EventDefinition => ({
  id: 'evt_x',
  name: 'XEvent',
  type: 'domain',
  category: 'Test',
  description: 'x',
  frequency: 'low',
  priority: 'low',
  criticality: 'normal',
  routingKey: 'x',
  sourceContext: 'X',
  targetContexts: [],
  versions: [{ version: '1.0.0', schema: z.looseObject({}) }],
  route: 'fifo',
  queue: 'XQueue',
  deadLetterQueue: 'XDLQ',
  timeoutMs: 1_000,
  retry: { retries: 3, baseMs: 1, capMs: 1 },
  thresholds: thresholds('low'),
  handlers: [
    {
      name: 'handleX',
      service: 'X',
      holds: 'merchant',
      onPoison: 'release',
      effect: 'state',
      load: () => Promise.reject(new Error('not loaded here')),
    },
  ],
  example: {},
  ...overrides,
});
const [handler] = event().handlers;

test('a handler that keeps order is refused on a standard route, which keeps none', () => {
  assert.throws(
    () => createRegistry([event({ route: 'standard' })]),
    /handleX holds merchant but XEvent takes a standard route/,
  );
  assert.not.throws(() => createRegistry([event({ route: 'standard', handlers: [{ ...handler, holds: 'event' }] })]));
});

test('a handler that holds its aggregate needs an event that derives one', () => {
  assert.throws(() => createRegistry([event({ handlers: [{ ...handler, holds: 'aggregate' }] })]), /derives none/);
});

test('names are used once, examples satisfy their schemas, older versions have a way to the newest', () => {
  assert.throws(
    () => createRegistry([event(), event({ id: 'evt_y', name: 'Y', routingKey: 'y' })]),
    /handleX is used twice/,
  );
  const strict = [{ version: '1.0.0', schema: z.object({ n: z.int() }) }] as const;
  assert.throws(() => createRegistry([event({ versions: strict })]), /does not satisfy its own schema/);
  const two = [
    { version: '1.0.0', schema: z.looseObject({}) },
    { version: '2.0.0', schema: z.looseObject({}) },
  ] as const;
  assert.throws(() => createRegistry([event({ versions: two })]), /1.0.0 has no way to the next version/);
});

test('physical names carry the stack and, for FIFO, the suffix; names of the specification stay the keys', () => {
  const topology = topologyOf(registry, 'shop');
  assert.equal(
    topology.queues
      .filter(({ name }) => /^(ProductSync|CampaignEvents|AnalyticsPerf)/.test(name))
      .map((q) => [q.name, q.physicalName, q.deadLetterQueue.physicalName, q.subscription?.physicalTopic]),
    [
      ['ProductSyncEventsQueue', 'shop-ProductSyncEventsQueue.fifo', 'shop-ProductSyncEventsDLQ.fifo', undefined],
      ['CampaignEventsQueue', 'shop-CampaignEventsQueue.fifo', 'shop-CampaignEventsDLQ.fifo', undefined],
      [
        'AnalyticsPerformanceProcessingQueue',
        'shop-AnalyticsPerformanceProcessingQueue',
        'shop-AnalyticsPerformanceDLQ',
        'shop-PerformanceDataTopic',
      ],
    ],
  );
});

test('a version is read by the newest known one of its major, and brought to the current one', () => {
  const definition = event({
    versions: [
      { version: '1.0.0', schema: z.looseObject({}), upcast: (p) => ({ ...(p as object), one: true }) },
      { version: '1.2.0', schema: z.looseObject({}), upcast: (p) => ({ ...(p as object), two: true }) },
      { version: '2.0.0', schema: z.looseObject({}) },
    ],
  });
  assert.is(readableAs(definition, '1.1.9')?.version, '1.0.0');
  assert.is(readableAs(definition, '1.9.0')?.version, '1.2.0');
  assert.is(readableAs(definition, '2.4.0')?.version, '2.0.0');
  assert.is(readableAs(definition, '3.0.0'), undefined);
  assert.equal(upcast(definition, '1.0.0', { n: 1 }), { n: 1, one: true, two: true });
  assert.equal(upcast(definition, '2.0.0', { n: 1 }), { n: 1 });
  assert.ok(compareVersions('1.10.0', '1.9.0') > 0);
});

test.run();
