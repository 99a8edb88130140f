import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { EventVersion } from '../../core/events/definition.ts';
import type { Registry } from '../../core/events/registry.ts';
import type { JsonSchema } from './compare.ts';

/** The schema of one version of one event, as JSON Schema: what producers may send and what handlers get. */
export interface Snapshot {
  event: string;
  version: string;
  accepts: JsonSchema;
  yields: JsonSchema;
}

/** Relative to the root. */
export const snapshotFolder = 'docs/schemas';

const snapshotFile = z.object({
  event: z.string(),
  version: z.string(),
  accepts: z.record(z.string(), z.unknown()),
  yields: z.record(z.string(), z.unknown()),
});

export const snapshotOf = (event: string, { version, schema }: EventVersion): Snapshot => ({
  event,
  version,
  accepts: z.toJSONSchema(schema, { io: 'input' }),
  yields: z.toJSONSchema(schema, { io: 'output' }),
});

export const fileOf = ({ event, version }: { event: string; version: string }): string => `${event}/${version}.json`;
export const textOf = (snapshot: Snapshot): string => `${JSON.stringify(snapshot, null, 2)}\n`;

export const snapshotsOf = (registry: Registry): Snapshot[] =>
  [...registry.values()].flatMap((event) => event.versions.map((version) => snapshotOf(event.name, version)));

/** Throws an Error that names the file when one is no snapshot. */
export function readSnapshots(folder: string): Snapshot[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
  return files.toSorted().map((file) => {
    try {
      return snapshotFile.parse(JSON.parse(readFileSync(join(folder, file), 'utf8')));
    } catch (cause) {
      throw new Error(`${join(folder, file)} is not the snapshot of an event schema`, { cause });
    }
  });
}

export function writeSnapshot(folder: string, snapshot: Snapshot): void {
  const path = join(folder, fileOf(snapshot));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, textOf(snapshot));
}
