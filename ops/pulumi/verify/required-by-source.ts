import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folders = { worker: 'workers', gateway: 'gateway', console: 'dashboards', migration: undefined } as const;

/** `required(config, 'opsPassword')`: a setting without which a process does not start, although the schema has it optional. */
const REQUIRED = /\brequired\(\s*config,\s*'(\w+)'\s*\)/g;
/** Asked for only where another setting is not there, so that it is no condition: read in the source, listed here. */
const alternatives = new Set(['adNetworkToken']);

const variableOf = (setting: string): string =>
  `LANEWAY_${setting.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** Variables that the sources of a process ask for by `required`. */
export function requiredBySource(process: keyof typeof folders): string[] {
  const folder = folders[process];
  if (folder === undefined) return [];
  return globSync(`${folder}/**/*.ts`, { cwd: root })
    .filter((file) => !file.endsWith('.test.ts'))
    .flatMap((file) => [...readFileSync(`${root}/${file}`, 'utf8').matchAll(REQUIRED)])
    .flatMap(([, setting]) => (setting === undefined || alternatives.has(setting) ? [] : [variableOf(setting)]));
}
