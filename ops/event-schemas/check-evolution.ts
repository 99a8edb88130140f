import type { Registry } from '../../core/events/registry.ts';
import { majorOf } from '../../core/events/versions.ts';
import { findBreaches } from './compare.ts';
import { type Snapshot, fileOf, snapshotOf, snapshotsOf, textOf } from './snapshots.ts';

/**
 * What stands between the committed schemas and those of the code. `breaking` needs a new major version; `stale` only says
 * that the committed snapshot is to be written anew.
 */
export interface Complaint {
  kind: 'breaking' | 'stale';
  event: string;
  version: string;
  what: string;
}

export function checkEvolution(registry: Registry, committed: readonly Snapshot[]): Complaint[] {
  const known = new Map(committed.map((snapshot) => [fileOf(snapshot), snapshot]));
  const made = new Set<string>();
  const complaints: Complaint[] = [];
  for (const snapshot of snapshotsOf(registry)) {
    made.add(fileOf(snapshot));
    const before = known.get(fileOf(snapshot));
    if (before === undefined)
      complaints.push({ kind: 'stale', ...named(snapshot), what: 'has no committed schema yet' });
    else if (textOf(before) !== textOf(snapshot)) complaints.push(...judge(before, snapshot));
  }
  for (const snapshot of committed) {
    if (!made.has(fileOf(snapshot)))
      complaints.push({
        kind: 'breaking',
        ...named(snapshot),
        what: 'is committed but no longer in the registry: messages of it may be in flight, in an inbox or in a DLQ',
      });
  }
  return [...complaints, ...checkMinors(registry)];
}

function judge(before: Snapshot, after: Snapshot): Complaint[] {
  const breaches = breachesOf(before, after);
  if (breaches.length === 0)
    return [{ kind: 'stale', ...named(after), what: 'differs from its committed schema, in a way that breaks nobody' }];
  return breaches.map((what) => ({ kind: 'breaking', ...named(after), what }));
}

/** Within one major, a newer version may only add. */
function checkMinors(registry: Registry): Complaint[] {
  return [...registry.values()].flatMap((event) =>
    event.versions.flatMap((version, index): Complaint[] => {
      const older = event.versions[index - 1];
      if (older === undefined || majorOf(older.version) !== majorOf(version.version)) return [];
      return breachesOf(snapshotOf(event.name, older), snapshotOf(event.name, version)).map((what) => ({
        kind: 'breaking',
        event: event.name,
        version: version.version,
        what: `beside ${older.version}: ${what}`,
      }));
    }),
  );
}

function breachesOf(before: Snapshot, after: Snapshot): string[] {
  const found = [
    ...findBreaches(before.accepts, after.accepts, 'accepts'),
    // A narrower result is a narrower input too where the schema transforms, and so hides what it takes.
    ...findBreaches(before.yields, after.yields, 'accepts'),
    ...findBreaches(before.yields, after.yields, 'yields'),
  ];
  return [...new Set(found.map(({ path, what }) => `${path === '' ? 'the payload' : path} ${what}`))];
}

const named = ({ event, version }: Snapshot) => ({ event, version });
