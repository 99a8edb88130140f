import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseBenchOptions } from './options.ts';
import { partNames } from './parts.ts';

const chosen = (args: string[]) => {
  const parsed = parseBenchOptions(args);
  if (parsed.kind !== 'bench') throw new Error(JSON.stringify(parsed));
  return parsed.options;
};

const refusal = (args: string[]): string => {
  const parsed = parseBenchOptions(args);
  return parsed.kind === 'invalid' ? parsed.message : '';
};

test('all parts run at full scale in five pairs when nothing is said', () => {
  assert.equal(chosen([]), { parts: partNames, json: false, write: false, pairs: 5, scale: 1 });
});

test('named parts run in the order of the bench, not of the command line', () => {
  const { parts, pairs, scale, json } = chosen(['sparse', 'engine', '--pairs', '2', '--scale', '0.5', '--json']);
  assert.equal({ parts, pairs, scale, json }, { parts: ['engine', 'sparse'], pairs: 2, scale: 0.5, json: true });
});

test('what cannot be run is refused with what to do instead', () => {
  assert.match(refusal(['enginee']), /no part enginee: lanes, engine, sparse/);
  assert.match(refusal(['--pairs', '0']), /whole number from 1 to 100, not "0"/);
  assert.match(refusal(['--scale', 'big']), /number from 0.001 to 10, not "big"/);
  assert.match(refusal(['--fast']), /Unknown option '--fast'/);
});

test('help is no error', () => {
  assert.is(parseBenchOptions(['--help']).kind, 'help');
});

test.run();
