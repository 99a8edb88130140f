import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { registry } from '../core/events/registry.ts';
import { type Complaint, checkEvolution } from './event-schemas/check-evolution.ts';
import { readSnapshots, snapshotFolder, snapshotsOf, writeSnapshot } from './event-schemas/snapshots.ts';
import { backfill } from './backfill/main.ts';
import { describeEvent, eventsDocument } from './events-document.ts';

/**
 * `npm run events -- list [--json]` shows the registry; `document` writes docs/events.md; `check` holds the schemas against
 * those that are committed, and `snapshot` commits them anew where that breaks nobody. `backfill` runs a handler for events
 * that came before it.
 */
const usage =
  'usage: npm run events -- list [--json] | document | check [--schemas FOLDER] | snapshot [--schemas FOLDER] |\n' +
  '       backfill HANDLER [options], see backfill --help\n';

const root = join(import.meta.dirname, '..');

function list(json: boolean): string {
  const events = [...registry.values()].map(describeEvent);
  if (json) return `${JSON.stringify(events, null, 2)}\n`;
  return events
    .map((event) => {
      const handlers = event.handlers.map(
        (h) => `    ${h.name} (${h.service}) holds ${h.holds}, on poison ${h.onPoison}\n`,
      );
      return `${event.name} ${event.version}  ${event.topic ?? event.queue} → ${event.queue}, ${event.deadLetterQueue}\n${handlers.join('')}`;
    })
    .join('');
}

const tell = (complaints: readonly Complaint[]): void => {
  for (const { event, version, what } of complaints) process.stderr.write(`${event} ${version}: ${what}\n`);
};

function check(folder: string): number {
  const complaints = checkEvolution(registry, readSnapshots(folder));
  tell(complaints);
  if (complaints.some(({ kind }) => kind === 'breaking'))
    process.stderr.write('A breaking change needs a new major version, with an upcast from the one before.\n');
  else if (complaints.length > 0) process.stderr.write('Write the schemas anew with: npm run events -- snapshot\n');
  else process.stderr.write(`${registry.size} events keep what their committed schemas promise\n`);
  return complaints.length === 0 ? 0 : 1;
}

/** Never writes over a promise: of an event with a breaking change nothing is written. */
function snapshot(folder: string): number {
  const complaints = checkEvolution(registry, readSnapshots(folder));
  const broken = new Set(complaints.flatMap(({ kind, event }) => (kind === 'breaking' ? [event] : [])));
  for (const each of snapshotsOf(registry)) if (!broken.has(each.event)) writeSnapshot(folder, each);
  tell(complaints.filter(({ kind }) => kind === 'breaking'));
  return broken.size === 0 ? 0 : 1;
}

const [command, ...rest] = process.argv.slice(2);
const [option, folder = join(root, snapshotFolder), ...more] = rest;
const schemasOnly = more.length === 0 && (option === undefined || (option === '--schemas' && rest.length === 2));
if (command === 'list' && rest.every((argument) => argument === '--json')) {
  process.stdout.write(list(rest.includes('--json')));
} else if (command === 'document' && rest.length === 0) {
  writeFileSync(join(root, 'docs/events.md'), eventsDocument(registry));
} else if (command === 'check' && schemasOnly) {
  process.exitCode = check(folder);
} else if (command === 'snapshot' && schemasOnly) {
  process.exitCode = snapshot(folder);
} else if (command === 'backfill') {
  process.exitCode = await backfill(rest);
} else {
  process.stderr.write(usage);
  process.exitCode = 2;
}
