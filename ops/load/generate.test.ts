import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { registry } from '../../core/events/registry.ts';
import { readableAs } from '../../core/events/versions.ts';
import { generateLoad } from './generate.ts';

const startMs = Date.parse('2026-11-23T10:00:00.000Z');
const load = (seed: number, events = 2_000, merchants = 40) => [...generateLoad({ seed, events, merchants, startMs })];

test('the same seed gives the same load, another seed another one', () => {
  assert.equal(load(7), load(7));
  assert.is.not(JSON.stringify(load(7)), JSON.stringify(load(8)));
});

test('it has as many distinct events as asked for, and repeats carry the same bytes under another deduplication id', () => {
  const sends = load(11);
  const first = new Map(
    sends.filter(({ resendOf }) => resendOf === undefined).map((send) => [send.event.eventId, send]),
  );
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

test('every event satisfies the schema of its version and goes where the registry routes it', () => {
  for (const { event, channel, name, body } of load(3)) {
    const definition = registry.get(event.eventType);
    assert.ok(definition !== undefined);
    const version = readableAs(definition, event.eventVersion ?? '');
    assert.ok(version?.schema.safeParse(event.payload).success, body);
    assert.equal(
      [channel, name],
      definition.topic === undefined ? ['queue', definition.queue] : ['topic', definition.topic],
    );
  }
});

test('about 60 % are performance figures, 30 % product changes and 10 % campaign commands', () => {
  const sends = load(5, 10_000).filter(({ resendOf }) => resendOf === undefined);
  const share = (type: string) => sends.filter(({ event }) => event.eventType === type).length / sends.length;
  const near = (actual: number, wanted: number) =>
    assert.ok(Math.abs(actual - wanted) < 0.03, `${actual} for ${wanted}`);
  near(share('AdPerformanceDataIngestedEvent'), 0.6);
  near(share('ProductCoreDataUpdatedEvent'), 0.3);
  near(share('CampaignStateChangeRequestedEvent'), 0.1);
});

test('no merchant is left out, the busiest sends a few times its share, and awkward ids are among them', () => {
  const counts = new Map<string, number>();
  for (const { merchantId } of load(9, 10_000, 100)) counts.set(merchantId, (counts.get(merchantId) ?? 0) + 1);
  assert.is(counts.size, 100);
  const busiest = Math.max(...counts.values());
  assert.ok(busiest > 150 && busiest < 1_000, `the busiest sends ${busiest}`);
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
