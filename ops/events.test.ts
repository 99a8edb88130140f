import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventsDocument, exampleMessage } from './events-document.ts';
import { envelopeSchema } from '../core/events/envelope.ts';
import { registry } from '../core/events/registry.ts';

const command = new URL('./events.ts', import.meta.url).pathname;

test('the list names every event with its queue, dead letter queue, time-out and handlers', () => {
  const events = JSON.parse(execFileSync(process.execPath, [command, 'list', '--json'], { encoding: 'utf8' }));
  assert.equal(
    events.map(
      (e: {
        name: string;
        queue: string;
        deadLetterQueue: string;
        timeoutMs: number;
        handlers: { name: string }[];
      }) => [e.name, e.queue, e.deadLetterQueue, e.timeoutMs, e.handlers.map((h) => h.name)],
    ),
    [
      [
        'ProductCoreDataUpdatedEvent',
        'ProductSyncEventsQueue',
        'ProductSyncEventsDLQ',
        30_000,
        ['handleProductCoreUpdate', 'handleProductDimensionUpdate'],
      ],
      [
        'CampaignStateChangeRequestedEvent',
        'CampaignEventsQueue',
        'CampaignEventsDLQ',
        60_000,
        ['synchronizeCampaignStateWithAdNetworks'],
      ],
      [
        'AdPerformanceDataIngestedEvent',
        'AnalyticsPerformanceProcessingQueue',
        'AnalyticsPerformanceDLQ',
        120_000,
        ['processIngestedPerformanceData'],
      ],
    ],
  );
});

test('an unknown command says how to use it and exits with 2', () => {
  const { status, stderr } = spawnSync(process.execPath, [command, 'lst'], { encoding: 'utf8' });
  assert.is(status, 2);
  assert.match(stderr, 'usage: npm run events');
});

test('every documented example is a message that is accepted as it stands', () => {
  for (const event of registry.values()) {
    const envelope = envelopeSchema.parse(exampleMessage(event));
    assert.ok(event.versions.at(-1)?.schema.safeParse(envelope.payload).success, event.name);
    assert.match(eventsDocument(registry), `## ${event.name}`);
  }
});

test.run();
