import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { knownVariables } from '../../core/runtime/config.ts';
import { newComposeSettings, readComposeSecrets } from './compose-settings.ts';

const source = readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8');

/** The names that a part of the file, from its heading to the next empty line, gives values to. */
const namesUnder = (heading: string): string[] => {
  const [, part = ''] = source.split(`\n${heading}:`);
  return [...(part.split('\n\n', 1)[0] ?? '').matchAll(/^ +((?:AWS|LANEWAY)_\w+):/gm)].map(([, name = '']) => name);
};

test('compose.yaml takes from .env what the command for it makes, and nothing else', () => {
  const taken = new Set([...source.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name));
  taken.delete('NODE_IMAGE');
  const made = newComposeSettings();
  for (const name of taken) assert.ok(name in made, name);
  // Its endpoints read all of it.
  assert.is(readComposeSecrets(made).workerPassword, made['WORKER_PASSWORD']);
  assert.is.not(newComposeSettings()['WORKER_PASSWORD'], made['WORKER_PASSWORD']);
});

test('each process in compose.yaml is told what it must be told, and nothing that it does not read', () => {
  for (const process of ['worker', 'gateway', 'console'] as const) {
    const told = [...namesUnder('x-settings'), ...namesUnder(`  ${process}`)];
    const known = knownVariables(process);
    const names = known.map(({ name }) => name);
    const missing = known.filter(({ name, required }) => required && !told.includes(name)).map(({ name }) => name);
    assert.equal(missing, [], process);
    const own = told.filter((name) => name.startsWith('LANEWAY_') && !names.includes(name));
    assert.equal(
      own.filter((name) => !['LANEWAY_REDIS_URL', 'LANEWAY_BODY_HMAC_KEY'].includes(name)),
      [],
      process,
    );
  }
});

test.run();
