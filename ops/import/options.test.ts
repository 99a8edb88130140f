import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseOptions } from './options.ts';

test('a run has a number of products and a system, or says which argument it cannot mean', () => {
  assert.equal(parseOptions([]), { kind: 'run', products: 100_000, dataDir: undefined });
  assert.equal(parseOptions(['--products', '7', '--data', 'd']), { kind: 'run', products: 7, dataDir: 'd' });
  for (const args of [['--products', '0'], ['--products', '1e3'], ['--data', ''], ['--produkte'], ['7']])
    assert.is(parseOptions(args).kind, 'invalid', args.join(' '));
});

test.run();
