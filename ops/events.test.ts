import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventsDocument, exampleMessage } from './events-document.ts';
import { envelopeSchema } from '../core/events/envelope.ts';
import { registry } from '../core/events/registry.ts';

const command = new URL('./events.ts', import.meta.url).pathname;

test('the list names every event with its queue, dead letter queue, time-out and handlers', () => {
  const events: { name: string }[] = JSON.parse(
    execFileSync(process.execPath, [command, 'list', '--json'], { encoding: 'utf8' }),
  );
  assert.equal(
    events.map(({ name }) => name),
    [...registry.keys()],
  );
  const { thresholds, ...performance } = Object.fromEntries(
    Object.entries(events.find(({ name }) => name === 'AdPerformanceDataIngestedEvent') ?? {}).slice(0, 11),
  );
  assert.equal(performance, {
    name: 'AdPerformanceDataIngestedEvent',
    version: '1.1.0',
    versions: ['1.0.0', '1.1.0'],
    route: 'standard',
    queue: 'AnalyticsPerformanceProcessingQueue',
    deadLetterQueue: 'AnalyticsPerformanceDLQ',
    topic: 'PerformanceDataTopic',
    filter: { eventType: ['AdPerformanceDataIngestedEvent'] },
    handlers: [
      {
        name: 'processIngestedPerformanceData',
        service: 'AnalyticsReportingService',
        holds: 'event',
        onPoison: 'release',
        effect: 'state',
      },
    ],
    timeoutMs: 120_000,
  });
  assert.equal(thresholds, { latencyMs: 5_000, queueAgeSeconds: 3_600, queueDepth: 1_000, errorRatePercent: 1 });
});

const schemas = join(import.meta.dirname, '../docs/schemas');
const run = (...args: string[]) => spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' });

test('the committed schemas are kept; one that promised more than the code keeps is a failure that says what and where', () => {
  const green = run('check');
  assert.equal([green.status, green.stdout], [0, '']);
  const folder = mkdtempSync(join(tmpdir(), 'schemas-'));
  try {
    cpSync(schemas, folder, { recursive: true });
    const file = join(folder, 'ProductCoreDataUpdatedEvent/2.0.0.json');
    const snapshot = JSON.parse(readFileSync(file, 'utf8'));
    for (const side of ['accepts', 'yields']) {
      snapshot[side].properties.batch = { type: 'integer' };
      snapshot[side].required = ['productId', 'operationType'];
    }
    writeFileSync(file, JSON.stringify(snapshot));
    const red = run('check', '--schemas', folder);
    assert.is(red.status, 1);
    assert.match(red.stderr, 'ProductCoreDataUpdatedEvent 2.0.0: batch is gone');
    assert.match(red.stderr, 'ProductCoreDataUpdatedEvent 2.0.0: timestamp is required now');
    assert.match(red.stderr, 'needs a new major version');
    // What broke is not committed away.
    assert.is(run('snapshot', '--schemas', folder).status, 1);
    assert.is(readFileSync(file, 'utf8'), JSON.stringify(snapshot));
    rmSync(file);
    const lacking = run('check', '--schemas', folder).stderr;
    assert.match(lacking, 'has no committed schema yet');
    assert.match(lacking, `npm run events -- snapshot --schemas ${folder}\n`);
    assert.is(run('snapshot', '--schemas', folder).status, 0);
    assert.is(run('check', '--schemas', folder).status, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what cannot be meant says why and how to use it, and exits with 2', () => {
  for (const [line, complaint] of [
    ['lst', 'there is no command "lst"'],
    ['', 'a command is missing'],
    ['check --schemas /nonexist', 'there is no folder /nonexist'],
    ['check --json', 'check takes no --json: it takes --schemas'],
    ['list json', '"json" is one word too many'],
  ] as const) {
    const { status, stderr } = run(...line.split(' '));
    assert.is(status, 2, line);
    assert.ok(stderr.startsWith(`${complaint}\n\nusage: npm run events`), stderr);
  }
});

test('every documented example is a message that is accepted as it stands', () => {
  for (const event of registry.values()) {
    const envelope = envelopeSchema.parse(exampleMessage(event));
    assert.ok(event.versions.at(-1)?.schema.safeParse(envelope.payload).success, event.name);
    assert.match(eventsDocument(registry), `## ${event.name}`);
  }
});

test.run();
