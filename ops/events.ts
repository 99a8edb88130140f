import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { registry } from '../core/events/registry.ts';
import { type Complaint, checkEvolution } from './event-schemas/check-evolution.ts';
import { readSnapshots, snapshotFolder, snapshotsOf, writeSnapshot } from './event-schemas/snapshots.ts';
import { InvalidArgument, readArguments, refuseOtherOptions, sayUsage } from './arguments.ts';
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
const committed = join(root, snapshotFolder);

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

/** @param given the folder with the schemas, where it is not the one that is committed */
function check(given: string | undefined): number {
  const complaints = checkEvolution(registry, readSnapshots(given ?? committed));
  tell(complaints);
  if (complaints.some(({ kind }) => kind === 'breaking'))
    process.stderr.write('A breaking change needs a new major version, with an upcast from the one before.\n');
  else if (complaints.length > 0)
    process.stderr.write(
      `Write the schemas anew with: npm run events -- snapshot${given === undefined ? '' : ` --schemas ${given}`}\n`,
    );
  else process.stderr.write(`${registry.size} events keep what their committed schemas promise\n`);
  return complaints.length === 0 ? 0 : 1;
}

/** Never writes over a promise: of an event with a breaking change nothing is written. */
function snapshot(folder = committed): number {
  const complaints = checkEvolution(registry, readSnapshots(folder));
  const broken = new Set(complaints.flatMap(({ kind, event }) => (kind === 'breaking' ? [event] : [])));
  for (const each of snapshotsOf(registry)) if (!broken.has(each.event)) writeSnapshot(folder, each);
  tell(complaints.filter(({ kind }) => kind === 'breaking'));
  return broken.size === 0 ? 0 : 1;
}

type Command =
  | { kind: 'list'; json: boolean }
  | { kind: 'document' }
  | { kind: 'check' | 'snapshot'; schemas: string | undefined }
  | { kind: 'help' };

const taken = { list: ['json'], document: [], check: ['schemas'], snapshot: ['schemas'] };

const parse = (args: readonly string[]) =>
  readArguments((): Command => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean', default: false },
        schemas: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    });
    const { help, ...given } = values;
    if (help) return { kind: 'help' };
    const [name = '', ...words] = positionals;
    refuseOtherOptions(name, given, taken);
    if (words.length > 0) throw new InvalidArgument(`"${words.at(-1) ?? ''}" is one word too many`);
    const { json, schemas } = given;
    switch (name) {
      case 'list':
        return { kind: name, json };
      case 'document':
        return { kind: name };
      case 'check':
      case 'snapshot':
        if (schemas !== undefined && statSync(schemas, { throwIfNoEntry: false })?.isDirectory() !== true)
          throw new InvalidArgument(`there is no folder ${schemas}`);
        return { kind: name, schemas };
      default:
        throw new InvalidArgument(name === '' ? 'a command is missing' : `there is no command "${name}"`);
    }
  });

async function main(args: readonly string[]): Promise<number> {
  // It has options of its own.
  if (args[0] === 'backfill') return await backfill(args.slice(1));
  const command = parse(args);
  switch (command.kind) {
    case 'help':
    case 'invalid':
      return sayUsage(command, usage);
    case 'list':
      process.stdout.write(list(command.json));
      return 0;
    case 'document':
      writeFileSync(join(root, 'docs/events.md'), eventsDocument(registry));
      return 0;
    case 'check':
      return check(command.schemas);
    case 'snapshot':
      return snapshot(command.schemas);
    default:
      return command satisfies never;
  }
}

process.exitCode = await main(process.argv.slice(2));
