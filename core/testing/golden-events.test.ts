import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { envelopeSchema } from '../events/envelope.ts';
import { currentVersion, registry } from '../events/registry.ts';
import { goldenEvent } from './golden-events.ts';

test('the golden message of every registered event is one that its own schemas accept', () => {
  assert.ok(registry.size >= 3);
  for (const definition of registry.values()) {
    for (const ordinal of [1, 2, 75]) {
      const message = goldenEvent(definition.name, { merchantId: 'a:b', ordinal });
      const envelope = envelopeSchema.parse(message);
      assert.is(envelope.eventType, definition.name);
      const payload = currentVersion(definition).schema.safeParse(envelope.payload);
      assert.ok(payload.success, `${definition.name}: ${payload.error?.message ?? ''}`);
      if ('merchantId' in envelope.payload) assert.is(envelope.payload['merchantId'], 'a:b');
    }
  }
});

test('a golden message is the same for the same arguments and follows the one before it', () => {
  const [first, second] = [1, 2].map((ordinal) => goldenEvent('ProductCoreDataUpdatedEvent', { ordinal }));
  assert.equal(first, goldenEvent('ProductCoreDataUpdatedEvent', { ordinal: 1 }));
  assert.is(first?.['eventId'], 'golden-ProductCoreDataUpdatedEvent-1');
  assert.is(second?.['timestamp'], '2026-11-23T10:15:02.250Z');
});

test('whatever a test names replaces what the message would say', () => {
  const message = goldenEvent('AdPerformanceDataIngestedEvent', {
    eventId: 'mine',
    correlationId: 'cor-mine',
    payload: { campaignId: 'cmp-9' },
  });
  assert.equal([message['eventId'], message['correlationId']], ['mine', 'cor-mine']);
  assert.is((message['payload'] as Record<string, unknown>)['campaignId'], 'cmp-9');
  assert.throws(() => goldenEvent('NoSuchEvent'), 'NoSuchEvent is not registered');
});

test.run();
