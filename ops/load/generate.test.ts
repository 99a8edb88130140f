import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { EventDefinition } from '../../core/events/definition.ts';
import { envelopeSchema } from '../../core/events/envelope.ts';
import { registry } from '../../core/events/registry.ts';
import { readableAs } from '../../core/events/versions.ts';
import { generateLoad } from './generate.ts';

const startMs = Date.parse('2026-10-01T00:00:00.000Z');
const load = (seed: number, events = 2_000, merchants = 40) => [
  ...generateLoad({ seed, events, merchants, startMs, closes: '2026-10' }),
];
const large = load(5, 20_000, 300);
const once = (sends: ReturnType<typeof load>) => sends.filter(({ resendOf }) => resendOf === undefined);

test('the same seed gives the same load, another seed another one', () => {
  assert.equal(load(7, 500), load(7, 500));
  assert.is.not(JSON.stringify(load(7, 50)), JSON.stringify(load(8, 50)));
});

test('it has as many distinct events as asked for, and repeats carry the same bytes under another deduplication id', () => {
  const sends = load(11);
  const first = new Map(once(sends).map((send) => [send.event.eventId, send]));
  const repeats = sends.filter(({ resendOf }) => resendOf !== undefined);
  assert.is(first.size, 2_000);
  assert.ok(repeats.length >= 15 && repeats.length <= 80, `${repeats.length} repeats`);
  const seen = new Set<string>();
  for (const send of sends) {
    if (send.resendOf !== undefined) {
      assert.ok(seen.has(send.resendOf), 'a repeat comes after what it repeats');
      assert.is(send.body, first.get(send.resendOf)?.body);
      assert.is.not(send.deduplicationId, first.get(send.resendOf)?.deduplicationId);
    }
    seen.add(send.event.eventId);
  }
});

test('every event satisfies the schema of its version and goes where the registry routes it, but for poison', () => {
  for (const { event, channel, name, body, isPoison } of load(3)) {
    const definition = registry.get(event.eventType);
    assert.ok(definition !== undefined);
    assert.equal(
      [channel, name],
      definition.topic === undefined ? ['queue', definition.queue] : ['topic', definition.topic],
    );
    assert.is(isReadable(definition, body), isPoison !== true, body);
  }
});

function isReadable(definition: EventDefinition, body: string): boolean {
  try {
    const { eventVersion, payload } = envelopeSchema.parse(JSON.parse(body));
    return readableAs(definition, eventVersion ?? '')?.schema.safeParse(payload).success === true;
  } catch {
    return false;
  }
}

test('all eleven kinds are there in their shares, some sent twice, some late, some poison', () => {
  const distinct = once(large);
  const share = (count: number) => count / distinct.length;
  const near = (what: string, actual: number, wanted: number) =>
    assert.ok(Math.abs(actual - wanted) < wanted / 4, `${what}: ${actual} for ${wanted}`);
  const wanted = {
    AdPerformanceDataIngestedEvent: 0.6,
    ProductCoreDataUpdatedEvent: 0.2,
    OrderDataAttributedToAdEvent: 0.1,
    CampaignStateChangeRequestedEvent: 0.04,
    AffiliateConversionAttributionRequiredEvent: 0.025,
    NotificationDispatchRequestedEvent: 0.012,
    ThirdPartyAppWebhookEvent: 0.01,
    AudienceSegmentUpdateRequestedEvent: 0.007,
    ProductCatalogFeedReadyForSubmissionEvent: 0.004,
    DataRetentionJobTriggerEvent: 0.002,
    BillingCycleEvent: 0.015,
  };
  assert.equal(Object.keys(wanted).toSorted(), [...registry.keys()].toSorted());
  for (const [type, expected] of Object.entries(wanted))
    near(type, share(distinct.filter(({ event }) => event.eventType === type).length), expected);
  near('repeats', share(large.length - distinct.length), 0.02);
  near('poison', share(distinct.filter(({ isPoison }) => isPoison === true).length), 0.005);
  let newest = '';
  const late = distinct.filter(({ event }) => {
    if (event.timestamp >= newest) newest = event.timestamp;
    return event.timestamp < newest;
  });
  // Of the three kinds that come late, nine tenths of a load.
  near('late', share(late.length), 0.009);
});

test('even a small load has all eleven kinds, and a month is closed when everything else is sent', () => {
  const sends = load(21, 100, 10);
  assert.is(new Set(sends.map(({ event }) => event.eventType)).size, 11);
  const firstClosing = sends.findIndex(({ isClosing }) => isClosing === true);
  assert.ok(firstClosing > 0 && sends.slice(firstClosing).every(({ isClosing }) => isClosing === true));
});

test('no merchant is left out, the busiest sends as Zipf has it, and awkward ids are among them', () => {
  const counts = new Map<string, number>();
  for (const { merchantId, event } of large)
    if (event.merchantId !== undefined) counts.set(merchantId, (counts.get(merchantId) ?? 0) + 1);
  assert.is(counts.size, 300);
  const [first = 0, second = 0, third = 0] = [...counts.values()].toSorted((a, b) => b - a);
  // 20,000 over the sum of 1 / k to the power of 1.1, and its half and third to that power.
  for (const [actual, wanted] of [
    [first, 4_055],
    [second, 1_892],
    [third, 1_211],
  ] as const)
    assert.ok(Math.abs(actual - wanted) < wanted / 5, `${actual} for ${wanted}`);
  assert.ok([...counts.keys()].some((id) => id.includes('..')));
  assert.ok([...counts.keys()].some((id) => /^\d+$/.test(id)));
});

test('a merchant has at most two campaigns, each created by its first command', () => {
  const campaigns = Map.groupBy(
    load(13, 5_000, 20).filter(({ event }) => event.eventType === 'CampaignStateChangeRequestedEvent'),
    ({ merchantId, event }) => JSON.stringify([merchantId, event.payload['campaignId']]),
  );
  const perMerchant = Map.groupBy(campaigns.keys(), (key) => key.split('"')[1]);
  for (const [merchant, keys] of perMerchant) assert.ok(keys.length <= 2, `${merchant} has ${keys.length}`);
  for (const [key, [first]] of campaigns) assert.is(first?.event.payload['requestedState'], 'active', key);
});

test.run();
