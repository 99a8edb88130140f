import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConvoyPace } from './convoy-pace.ts';

test('convoys shrink while their time runs out, and grow again while there is time to spare', () => {
  const pace = createConvoyPace({ most: 800, timeMs: 1_000 });
  assert.is(pace.events, 800);
  pace.ranOut();
  pace.ranOut();
  pace.ranOut();
  assert.is(pace.events, 100);
  pace.committed(600);
  assert.is(pace.events, 100);
  pace.committed(200);
  assert.is(pace.events, 150);
  for (let commit = 0; commit < 20; commit++) pace.committed(20);
  assert.is(pace.events, 800);
  for (let again = 0; again < 20; again++) pace.ranOut();
  assert.is(pace.events, 1);
});

test.run();
