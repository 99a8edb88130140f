import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { generateMix } from './mix.ts';
import { expectedEvents } from './read-history.ts';
import { chaosRegistry } from './registry.ts';

test('every event of the mix is expected, those of older versions under the aggregate that they have today', () => {
  const load = generateMix({ seed: 3, events: 400, merchants: 10 });
  const sent = expectedEvents(load, chaosRegistry);
  assert.is(sent.length, new Set(load.map(({ merchantId, event }) => `${merchantId} ${event.eventId}`)).size);
  const versions = new Map(load.map(({ event }) => [event.eventId, `${event.eventType} ${event.eventVersion}`]));
  const old = sent.filter(({ eventId }) => versions.get(eventId) === 'ProductCoreDataUpdatedEvent 1.0.0');
  assert.ok(old.length > 0);
  assert.ok(old.every(({ aggregate }) => aggregate !== ''));
});

test.run();
