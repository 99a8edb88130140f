import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { collector } from '../testing/collector.ts';
import { systemClock } from './clock.ts';
import { silentLog } from './log.ts';
import { createSpans, isKept } from './spans.ts';

const settings = { service: 'worker-1', clock: systemClock, log: silentLog, everyMs: 60_000 };
/** Ids that end in a low figure are among the hundredth that is kept. */
const kept = '00-0af7651916cd43dd8448eb2100000001-b7ad6b7169203331-01';
const notKept = '00-0af7651916cd43dd8448eb21ffffffff-b7ad6b7169203331-01';
const span = {
  name: 'handleThing',
  fromMs: 1_700_000_000_000,
  toMs: 1_700_000_000_250,
  failed: false,
  attributes: { eventType: 'ThingHappenedEvent' },
};

test('a collector gets spans as OTLP has them, below the span that the event came with', async () => {
  await using receiver = await collector();
  const spans = createSpans({ ...settings, endpoint: receiver.endpoint });
  spans.record({ ...span, traceparent: kept });
  await spans.stop();
  const sent = JSON.parse(receiver.bodies[0] ?? '{}');
  const [own] = sent.resourceSpans[0].scopeSpans[0].spans;
  assert.match(own.spanId, /^[0-9a-f]{16}$/);
  delete own.spanId;
  assert.equal(own, {
    traceId: '0af7651916cd43dd8448eb2100000001',
    parentSpanId: 'b7ad6b7169203331',
    name: 'handleThing',
    kind: 5,
    startTimeUnixNano: '1700000000000000000',
    endTimeUnixNano: '1700000000250000000',
    attributes: [{ key: 'eventType', value: { stringValue: 'ThingHappenedEvent' } }],
  });
});

test('of what went well a hundredth of the traces is sent, of what failed everything up to a bound', async () => {
  await using receiver = await collector();
  const spans = createSpans({ ...settings, endpoint: receiver.endpoint });
  for (let index = 0; index < 600; index++) spans.record({ ...span, traceparent: notKept, failed: true });
  for (let index = 0; index < 10; index++) spans.record({ ...span, traceparent: notKept });
  await spans.stop();
  const sent = JSON.parse(receiver.bodies[0] ?? '{}').resourceSpans[0].scopeSpans[0].spans;
  assert.is(sent.length, 500);
  assert.equal(sent[0].status, { code: 2 });
  assert.equal([kept, notKept].map(isKept), [true, false]);
});

test('what went well and is not sampled makes no request, and without an endpoint there is none', async () => {
  await using receiver = await collector();
  const spans = createSpans({ ...settings, endpoint: receiver.endpoint });
  spans.record({ ...span, traceparent: notKept });
  await spans.stop();
  const silent = createSpans({ ...settings, endpoint: undefined });
  silent.record({ ...span, traceparent: kept });
  await silent.stop();
  assert.equal(receiver.bodies, []);
});

test.run();
