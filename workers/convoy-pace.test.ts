import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConvoyPace } from './convoy-pace.ts';

test('convoys grow while those that used what they were allowed are quick, up to what the settings allow', () => {
  const pace = createConvoyPace({ most: 800, timeMs: 1_000 });
  assert.is(pace.events, 64);
  pace.committed({ events: 64, tookMs: 20 });
  assert.is(pace.events, 96);
  pace.committed({ events: 10, tookMs: 5 });
  assert.is(pace.events, 96, 'one that was not full says nothing of a full one');
  pace.committed({ events: 96, tookMs: 300 });
  assert.is(pace.events, 96, 'long enough');
  for (let commit = 0; commit < 20; commit++) pace.committed({ events: pace.events, tookMs: 20 });
  assert.is(pace.events, 800);
  assert.is(createConvoyPace({ most: 10, timeMs: 1_000 }).events, 10);
});

test('a slow convoy cuts the next ones to what would have been quick', () => {
  const pace = createConvoyPace({ most: 64, timeMs: 1_000 });
  pace.committed({ events: 64, tookMs: 500 });
  assert.is(pace.events, 64);
  pace.committed({ events: 64, tookMs: 800 });
  assert.is(pace.events, 20);
  pace.ranOut();
  assert.is(pace.events, 5);
  for (let again = 0; again < 20; again++) pace.ranOut();
  assert.is(pace.events, 1);
});

test.run();
