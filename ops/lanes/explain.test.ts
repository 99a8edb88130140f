import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { registry } from '../../core/events/registry.ts';
import type { RedisFacts } from './activation.ts';
import { explainLane } from './explain.ts';
import type { EventRef, LaneFacts, OpenDelivery } from './lane-facts.ts';

const NOW = Date.parse('2026-11-23T12:00:00.000Z');
const LATER = '2026-11-23T12:00:05.000Z';

const event = (mseq: number): EventRef => ({
  mseq,
  eventId: `event-${mseq}`,
  eventType: 'ProductCoreDataUpdatedEvent',
  correlationId: `cor-${mseq}`,
  traceId: '0af7651916cd43dd8448eb211c80319c',
});

/** A lane that is ten behind and has nothing in its way. */
const lane = (facts: Partial<LaneFacts> = {}): LaneFacts => ({
  merchantId: 'shop-1',
  state: 'active',
  reason: null,
  by: null,
  since: null,
  drainTo: null,
  weight: 1,
  ratePerSecond: null,
  rateTokens: 0,
  rateAt: null,
  owner: 'owner-1',
  worker: 'worker-1',
  cursor: 90,
  lastMseq: 100,
  backlog: 10,
  wake: 0,
  dueAt: null,
  updatedAt: '2026-11-23T11:59:00.000Z',
  touchedAt: '2026-11-23T11:59:30.000Z',
  openDeliveries: 0,
  openRedrives: 0,
  head: event(91),
  coming: [{ ...event(91), eventVersion: '1.0.0' }],
  deliveries: [],
  ...facts,
});

const delivery = (mseq: number, facts: Partial<OpenDelivery> = {}): OpenDelivery => ({
  ...event(mseq),
  handler: 'handleProductCoreUpdate',
  state: 'waiting',
  holds: 'merchant',
  holdKey: null,
  attempt: 2,
  notBefore: LATER,
  lastError: { code: 'handler.failed', message: 'cannot', at: '2026-11-23T11:59:59.000Z' },
  updatedAt: '2026-11-23T11:59:59.000Z',
  ...facts,
});

const redis = (facts: Partial<Extract<RedisFacts, { kind: 'reached' }>> = {}): RedisFacts => ({
  kind: 'reached',
  activation: { kind: 'none' },
  markerPresent: true,
  ...facts,
});
const claimed = { kind: 'active', by: 'worker-1', since: '2026-11-23T11:59:58.000Z', lockedForMs: 20_000 } as const;
const active = redis({ activation: claimed });

const explained = (facts: Partial<LaneFacts>, side: RedisFacts = redis()) => {
  const {
    merchantId: _,
    cursor: __,
    backlog: ___,
    advice: ____,
    event: about,
    ...cause
  } = explainLane(lane(facts), side, registry, NOW);
  return { ...cause, about: about?.mseq };
};
const caughtUp = { cursor: 100, backlog: 0, head: null } as const;

test('a lane with nothing left is caught up, whatever Redis says', () => {
  const cause = { kind: 'caught-up', lastEventAt: '2026-11-23T11:59:30.000Z', about: undefined };
  assert.equal(explained(caughtUp), cause);
  assert.equal(explained(caughtUp, { kind: 'unreachable', why: 'refused' }), cause);
});

test('an operator’s hold comes before every other cause', () => {
  const held = { by: 'ada', reason: 'audit', since: '2026-11-23T11:00:00.000Z' };
  const trouble = { deliveries: [delivery(91)], openDeliveries: 1 };
  assert.equal(explained({ state: 'paused', ...held, ...trouble }, active), { kind: 'paused', ...held, about: 91 });
  assert.equal(
    explained({
      state: 'blocked',
      reason: 'handleProductCoreUpdate gave up',
      since: held.since,
      deliveries: [delivery(91, { state: 'parked', attempt: 4, notBefore: null })],
    }),
    {
      kind: 'blocked',
      why: 'handleProductCoreUpdate gave up',
      since: held.since,
      handler: 'handleProductCoreUpdate',
      attempt: 4,
      of: 3,
      code: 'handler.failed',
      message: 'cannot',
      about: 91,
    },
  );
});

test('a lane that is worked says by whom, also while its head was waiting a moment ago', () => {
  assert.equal(explained({ deliveries: [delivery(91)], openDeliveries: 1 }, active), {
    kind: 'working',
    worker: 'worker-1',
    owner: 'owner-1',
    since: '2026-11-23T11:59:58.000Z',
    lockedForMs: 20_000,
    about: 91,
  });
});

test('who has a lane is what the claim says, not who committed last; one whose lock ran out is gone', () => {
  const successor = redis({ activation: { ...claimed, by: 'worker-2' } });
  assert.equal(explained({}, successor), {
    kind: 'working',
    worker: 'worker-2',
    owner: null,
    since: '2026-11-23T11:59:58.000Z',
    lockedForMs: 20_000,
    about: 91,
  });
  const gone = redis({ activation: { ...claimed, by: 'worker-2', lockedForMs: null } });
  assert.equal(explained({}, gone), {
    kind: 'worker-gone',
    worker: 'worker-2',
    since: '2026-11-23T11:59:58.000Z',
    about: 91,
  });
  assert.match(explainLane(lane(), gone, registry, NOW).advice, 'its worker is gone: taken over within');
});

test('a lane that waits for a newer release says for which event, and one that was put off does not blame a server alone', () => {
  const later = redis({ activation: { kind: 'delayed', until: LATER } });
  const [first] = lane().coming;
  assert.ok(first);
  for (const [eventType, eventVersion] of [
    ['ProductCoreDataUpdatedEvent', '7.0.0'],
    ['EventOfTomorrow', '1.0.0'],
  ] as const) {
    const newer = { ...first, ...event(93), eventType, eventVersion };
    const waitsFor = `${eventType} ${eventVersion}`;
    assert.equal(explained({ coming: [first, newer] }, later), {
      kind: 'suspended',
      until: LATER,
      waitsFor,
      about: 93,
    });
    const { advice } = explainLane(lane({ coming: [newer] }), later, registry, NOW);
    assert.match(advice, `waits for a release that knows ${waitsFor}`);
  }
  assert.match(explainLane(lane(), later, registry, NOW).advice, 'an error was one that nobody expected');
});

test('what is open for a handler that this release does not have is not said to be tried again', () => {
  const past = '2026-11-20T12:00:00.000Z';
  const retired = delivery(91, { handler: 'retiredHandler', notBefore: past });
  const cause = { kind: 'handler-unknown', handler: 'retiredHandler', waiting: 0 };
  assert.equal(explained({ deliveries: [retired], openDeliveries: 1 }), { ...cause, about: 91 });
  assert.is(explained({ deliveries: [retired, delivery(91)], openDeliveries: 2 }).kind, 'retrying');
  const aside = delivery(80, { handler: 'retiredHandler', notBefore: past, holds: 'aggregate', holdKey: 'sku-1' });
  const behind = { ...aside, ...event(81), state: 'behind' as const };
  const facts = { ...caughtUp, deliveries: [aside, behind], openDeliveries: 2 };
  assert.equal(explained(facts), { ...cause, waiting: 1, about: 80 });
  const { advice } = explainLane(lane(facts), redis(), registry, NOW);
  assert.match(advice, 'it never is tried by a release without retiredHandler');
  assert.is(
    explained({ ...facts, deliveries: [aside, delivery(82)] }).kind,
    'retrying',
    'what will be tried comes first',
  );
});

test('a head that failed says which try it waits for, of how many, until when and why; one that snoozes is no failure', () => {
  assert.equal(explained({ deliveries: [delivery(91)], openDeliveries: 1 }), {
    kind: 'retrying',
    handler: 'handleProductCoreUpdate',
    attempt: 2,
    of: 3,
    until: LATER,
    code: 'handler.failed',
    message: 'cannot',
    about: 91,
  });
  const snoozing = delivery(91, { attempt: 0, lastError: null });
  assert.equal(explained({ deliveries: [snoozing], openDeliveries: 1 }), {
    kind: 'snoozed',
    handler: 'handleProductCoreUpdate',
    until: LATER,
    about: 91,
  });
});

test('what was set aside is the cause only once everything else has passed it', () => {
  const aside = delivery(80, { holds: 'aggregate', holdKey: 'sku-1' });
  const behind = [81, 85].map((mseq) => delivery(mseq, { state: 'behind', holds: 'aggregate', holdKey: 'sku-1' }));
  const other = delivery(82, { state: 'behind', holds: 'aggregate', holdKey: 'sku-2' });
  const facts = { deliveries: [aside, ...behind, other], openDeliveries: 4 };
  assert.is(explained(facts).kind, 'waiting-for-activation');
  const { kind, about, ...cause } = explained({ ...facts, ...caughtUp });
  assert.equal([kind, about], ['held-behind', 80]);
  assert.equal(cause, {
    key: 'sku-1',
    waiting: 2,
    handler: 'handleProductCoreUpdate',
    attempt: 2,
    of: 3,
    until: LATER,
    code: 'handler.failed',
    message: 'cannot',
  });
  const parked = { ...aside, state: 'parked' as const, notBefore: null };
  const after = explained({ ...caughtUp, deliveries: [parked, ...behind], openDeliveries: 3 });
  assert.equal([after.kind, after.about], ['parked', 80]);
});

test('limits and drains are told, with the time or the number that ends them', () => {
  const limited = { ratePerSecond: 2, rateTokens: 0, rateAt: '2026-11-23T12:00:00.000Z' };
  assert.equal(explained(limited, redis({ activation: { kind: 'delayed', until: LATER } })), {
    kind: 'rate-limited',
    perSecond: 2,
    until: '2026-11-23T12:00:00.500Z',
    about: 91,
  });
  assert.is(explained({ ...limited, rateTokens: 1 }).kind, 'waiting-for-activation');
  const draining = { drainTo: 90, by: 'ada', reason: 'leaving', deliveries: [delivery(88)], openDeliveries: 1 };
  assert.equal(explained(draining), {
    kind: 'draining',
    by: 'ada',
    reason: 'leaving',
    to: 90,
    stillOpen: 1,
    about: 88,
  });
  const full = explained({ openDeliveries: 1_000, deliveries: [delivery(7)] });
  assert.equal([full.kind, full.about], ['set-aside-limit', 7]);
});

test('with nothing in its way a lane waits for its turn, for an activation, or for Redis', () => {
  assert.equal(explained({}, redis({ activation: { kind: 'waiting', ahead: 12 } })), {
    kind: 'queued',
    behind: 12,
    about: 91,
  });
  assert.equal(explained({}, redis({ activation: { kind: 'delayed', until: LATER } })), {
    kind: 'suspended',
    until: LATER,
    waitsFor: null,
    about: 91,
  });
  assert.is(explained({}).kind, 'waiting-for-activation');
  const emptied = explained({}, redis({ markerPresent: false }));
  assert.equal([emptied.kind, 'how' in emptied && emptied.how], ['redis-lost', 'emptied']);
  const away = explained({ deliveries: [delivery(91)] }, { kind: 'unreachable', why: 'refused' });
  assert.equal([away.kind, 'how' in away && away.how], ['redis-lost', 'unreachable']);
});

test('every explanation carries the event with its correlation and trace, and says what to do', () => {
  const { event: about, advice } = explainLane(lane({ state: 'paused' }), redis(), registry, NOW);
  assert.equal(about, event(91));
  assert.match(advice, 'npm run lanes -- resume "shop-1"');
});

test.run();
