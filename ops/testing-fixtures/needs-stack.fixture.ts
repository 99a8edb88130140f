// the runner starts the stack for files that name core/testing/world, as this line does
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('gets the environment of the stack', () => {
  assert.is(process.env['STACK_FIXTURE_URL'], 'http://127.0.0.1:1');
});

test.run();
