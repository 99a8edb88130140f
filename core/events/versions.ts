import type { EventDefinition, EventVersion } from './definition.ts';
import { currentVersion } from './registry.ts';

const parts = (version: string): readonly number[] => version.split('.').map(Number);

export const majorOf = (version: string): string => version.split('.')[0] ?? '';

export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The registered version by which a received one is read: the newest of its major that is not newer than it, else the
 * oldest of its major. Minor versions only add optional fields, so an unknown newer minor is read by the newest known.
 * Undefined for an unknown major.
 */
export function readableAs(definition: EventDefinition, received: string): EventVersion | undefined {
  const current = currentVersion(definition);
  if (received === current.version) return current;
  const major = parts(received)[0];
  const sameMajor = definition.versions.filter(({ version }) => parts(version)[0] === major);
  return sameMajor.findLast(({ version }) => compareVersions(version, received) <= 0) ?? sameMajor[0];
}

/** Brings a payload that `readableAs(received)` has parsed to the current version and parses it by that. */
export function upcast(definition: EventDefinition, received: string, payload: unknown): unknown {
  const start = readableAs(definition, received);
  if (start === undefined) throw new Error(`${definition.name} has no version ${received}`);
  const current = currentVersion(definition);
  if (start === current) return payload;
  let value = payload;
  for (const step of definition.versions.slice(definition.versions.indexOf(start))) {
    if (step.upcast !== undefined) value = step.upcast(value);
  }
  return current.schema.parse(value);
}
