import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { registry } from '../core/events/registry.ts';
import { type QueueTopology, topologyOf } from '../core/events/topology.ts';
import { type DecodeFault, type DecodedEvent, decode } from './decode.ts';
import type { ReceivedMessage } from './message.ts';

const queues = new Map(topologyOf(registry, 'test').queues.map((queue) => [queue.name, queue]));

function queueNamed(name: string): QueueTopology {
  const queue = queues.get(name);
  if (queue === undefined) throw new Error(`no queue ${name}`);
  return queue;
}

const received = (body: string, attributes: Record<string, string> = {}): ReceivedMessage => ({
  messageId: 'm-1',
  receiptHandle: 'r-1',
  body,
  receiveCount: 1,
  firstReceivedAtMs: 0,
  attributes,
});

const read = (body: unknown, queue = 'ProductSyncEventsQueue', attributes: Record<string, string> = {}) =>
  decode(received(typeof body === 'string' ? body : JSON.stringify(body), attributes), queueNamed(queue), registry);

function eventOf(result: ReturnType<typeof read>): DecodedEvent {
  if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.message}`);
  return result.event;
}

function faultOf(result: ReturnType<typeof read>): DecodeFault {
  if (result.ok) throw new Error('was accepted');
  return result.fault;
}

const golden = (name: string): { queue: string; body: string } =>
  JSON.parse(readFileSync(new URL(`../core/testing/golden/${name}.json`, import.meta.url), 'utf8'));

const product = (changes: Record<string, unknown> = {}, payload: Record<string, unknown> = {}) => ({
  eventId: 'e-1',
  eventType: 'ProductCoreDataUpdatedEvent',
  eventVersion: '1.0.0',
  timestamp: '2026-11-23T10:15:01Z',
  sourceService: 'CorePlatform',
  correlationId: 'c-1',
  merchantId: 'shop-1',
  payload: { productId: 'sku-1', operationType: 'update', timestamp: '2026-11-23T10:15:00Z', ...payload },
  ...changes,
});

test('a raw message is read, and its bytes are kept as they came', () => {
  const { queue, body: written } = golden('raw-product-update');
  // Spaces, an escape and a key that comes twice: reading and writing it again would lose all three.
  const body = written.replace('{', '{ "eventId" : "\\u0061",');
  const event = eventOf(read(body, queue));
  assert.is(event.eventId, '3f1c9a6e-8a44-4f0a-9d53-0a8d2f6f2b11');
  assert.is(event.merchantId, 'shop-1');
  assert.is(event.eventVersion, '1.0.0');
  assert.is(event.sourceQueue, 'ProductSyncEventsQueue');
  assert.match(event.traceparent, /^00-67891233abcdef012345678912345678-[0-9a-f]{16}-01$/);
  assert.is(event.body.toString('utf8'), body);
  assert.is(event.redrive, undefined);
});

test('a message wrapped by SNS is read as what it wraps, version and merchant from the payload where only that has them', () => {
  const { queue, body } = golden('sns-wrapped-performance-data');
  const event = eventOf(read(body, queue));
  assert.is(event.eventId, 'perf-2026-11-22-meta');
  assert.is(event.merchantId, 'magasin-été');
  assert.is(event.eventVersion, '1.2.0');
  assert.is(event.body.toString('utf8'), JSON.parse(body).Message);
});

test('every fault has its code and the exact path', () => {
  const cases: [unknown, DecodeFault['code'], string | RegExp, string?][] = [
    ['not json', 'envelope.not_json', /^body: is not JSON/],
    ['', 'envelope.not_json', /^body: is not JSON/],
    [{ Type: 'Notification', Message: '{"a":1,}' }, 'envelope.not_json', 'Message: is not JSON, wrong at position 7'],
    ['null', 'envelope.invalid', /^body: /],
    ['[]', 'envelope.invalid', /^body: /],
    ['"text"', 'envelope.invalid', /^body: /],
    [product({ eventId: undefined }), 'envelope.invalid', /^eventId: /],
    [product({ eventId: 'x'.repeat(6_000) }), 'envelope.invalid', /^eventId: .*128/],
    [product({ timestamp: 'yesterday' }), 'envelope.invalid', /^timestamp: /],
    [product({ payload: [1] }), 'envelope.invalid', /^payload: /],
    [product({ authentication: { userId: 7 } }), 'envelope.invalid', /^authentication\.userId: /],
    [product({ eventType: 'NobodyKnowsEvent' }), 'envelope.unknown_type', /^eventType: /],
    [
      product(),
      'envelope.misrouted',
      'eventType: travels on ProductSyncEventsQueue, not on CampaignEventsQueue',
      'CampaignEventsQueue',
    ],
    [product({ eventVersion: undefined }), 'envelope.invalid', 'eventVersion: is missing'],
    [product({ eventVersion: undefined }, { eventVersion: 1 }), 'envelope.invalid', /^payload\.eventVersion: /],
    [product({ eventVersion: '1' }), 'envelope.invalid', /^eventVersion: /],
    [
      product({ eventVersion: '9.0.0' }),
      'envelope.unsupported_version',
      'eventVersion: 9.0.0 cannot be read, known are 1.0.0, 2.0.0',
    ],
    [product({}, { operationType: 'rename' }), 'payload.invalid', /^payload\.operationType: /],
    [
      product({}, { changedAttributes: { priceMinor: -1 } }),
      'payload.invalid',
      /^payload\.changedAttributes\.priceMinor: /,
    ],
    [product({}, { merchantId: 'shop-2' }), 'envelope.invalid', /^payload\.merchantId: is another merchant/],
    [product({ merchantId: undefined }), 'envelope.invalid', /^merchantId: is missing/],
    [product({ merchantId: 'x'.repeat(300) }), 'envelope.invalid', /^merchantId: .*128/],
    [product({ merchantId: '' }), 'envelope.invalid', /^merchantId: /],
    [product({ merchantId: 'a\nb' }), 'envelope.invalid', /^merchantId: /],
  ];
  for (const [body, code, message, queue] of cases) {
    const fault = faultOf(read(body, queue));
    assert.is(fault.code, code, fault.message);
    if (typeof message === 'string') assert.is(fault.message, message);
    else assert.match(fault.message, message);
  }
});

test('what JSON.parse lets through and no store takes is refused with its path', () => {
  const body = (text: string) => JSON.stringify(product()).replace('"sku-1"', text);
  const cases: [string, DecodeFault['code'], string][] = [
    [body('"a\\u0000b"'), 'payload.invalid', 'payload.productId: must not contain U+0000'],
    [body('"a\\ud800b"'), 'payload.invalid', 'payload.productId: must not contain half a surrogate pair'],
    [body('"x","deep":{"list":[1,1e999]}'), 'payload.invalid', 'payload.deep.list[1]: must be a finite number'],
    [body('"x","a\\u0000":1'), 'payload.invalid', 'payload: has a key that must not contain U+0000'],
    [JSON.stringify(product({ note: '\ud800' })), 'envelope.invalid', 'note: must not contain half a surrogate pair'],
  ];
  for (const [text, code, message] of cases) {
    const fault = faultOf(read(text));
    assert.is(fault.code, code);
    assert.is(fault.message, message);
  }
});

test('nesting is bounded, however deep it goes', () => {
  const nested = (levels: number) =>
    JSON.stringify(product()).replace('"sku-1"', `"x","deep":${'['.repeat(levels)}${']'.repeat(levels)}`);
  assert.is(read(nested(60)).ok, true);
  for (const levels of [64, 200_000]) {
    const fault = faultOf(read(nested(levels)));
    assert.is(fault.code, 'payload.invalid');
    assert.match(fault.message, /^payload\.deep\[0\].*: must not be nested deeper than 64 levels$/);
  }
});

test('a fault lists at most five paths, and never a value', () => {
  const secret = 'someone@example.org';
  const payload = Object.fromEntries(['productId', 'operationType', 'timestamp'].map((key) => [key, { secret }]));
  const fault = faultOf(
    read(product({}, { ...payload, changedAttributes: { title: 1, brand: 2, gtin: 3, priceMinor: secret } })),
  );
  assert.is(fault.message.split('; ').length, 5);
  assert.not.match(fault.message, secret);
  assert.not.match(faultOf(read(`{"mail":"${secret}",}`)).message, secret);
});

test('merchant ids of any script and punctuation are legal', () => {
  for (const merchantId of ['a:b', '123', '../x', 'Größe GmbH', '商店', 'shop 🛒', '{x}', "'; drop table lanes; --"])
    assert.is(eventOf(read(product({ merchantId }))).merchantId, merchantId);
});

test('keys that name a prototype are harmless', () => {
  const text = JSON.stringify(product()).replace(
    '"sku-1"',
    '"sku-1","__proto__":{"merchantId":"evil","polluted":1},"constructor":{"prototype":{"polluted":1}}',
  );
  assert.is(eventOf(read(text)).merchantId, 'shop-1');
  assert.is(Reflect.get({}, 'polluted'), undefined);
  const nobody = text.replace('"merchantId":"shop-1",', '');
  assert.is(faultOf(read(nobody)).message, 'merchantId: is missing, and this event belongs to a merchant');
});

test('an event without a merchant goes to the lane that its definition names', () => {
  const [name, definition] = [...registry][0] ?? [];
  if (name === undefined || definition === undefined) throw new Error('empty registry');
  const fanOut = new Map([[name, { ...definition, laneWithoutMerchant: 'platform' }]]);
  const body = JSON.stringify(product({ merchantId: undefined }));
  assert.is(eventOf(decode(received(body), queueNamed('ProductSyncEventsQueue'), fanOut)).merchantId, 'platform');
});

test('a message that was moved back from the DLQ says which handler had given up', () => {
  const marked = { handler: 'handleProductCoreUpdate', fingerprint: 'abc' };
  assert.equal(eventOf(read(product(), undefined, marked)).redrive, { handler: 'handleProductCoreUpdate' });
  assert.is(eventOf(read(product(), undefined, { handler: 'x' })).redrive, undefined);
});

test('the dead letter learns merchant and correlation of what could not be read, as far as it has them', () => {
  const fault = faultOf(read(product({ eventVersion: '9.0.0' })));
  assert.is(fault.merchantId, 'shop-1');
  assert.is(fault.correlationId, 'c-1');
  assert.is(faultOf(read(product({ merchantId: 'y'.repeat(5_000) }))).merchantId, 'y'.repeat(300));
  assert.is(faultOf(read({ merchantId: { a: 1 } })).merchantId, undefined);
});

test('any JSON value, and any text, is either an event or a fault', () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' })), (value) => {
      const result = read(value);
      assert.type(result.ok, 'boolean');
    }),
    { numRuns: 500 },
  );
});

test('an event with anything in any place is either an event or a fault with a path', () => {
  const paths = [
    ...Object.keys(product()).map((key) => [key]),
    ...Object.keys(product().payload).map((key) => ['payload', key]),
    ['payload', 'changedAttributes'],
    ['payload', 'merchantId'],
    ['payload', 'eventVersion'],
    ['authentication'],
  ];
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), fc.boolean(), (path, value, wrapped) => {
      const event: Record<string, unknown> = product();
      const [outer = '', inner] = path;
      if (inner === undefined) event[outer] = value;
      else event['payload'] = { ...product().payload, [inner]: value };
      const body = JSON.stringify(event);
      const result = read(wrapped ? { Type: 'Notification', Message: body } : body);
      if (result.ok) assert.is(result.event.body.toString('utf8'), body);
      else assert.match(result.fault.message, /^[^:]+: ./);
    }),
    { numRuns: 500 },
  );
});

test.run();
