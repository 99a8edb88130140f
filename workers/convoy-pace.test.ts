import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConvoyPace } from './convoy-pace.ts';

test('convoys grow while those that used what they were allowed are quick, up to what the settings allow', () => {
  const pace = createConvoyPace({ most: 800, meantMs: 1_000 });
  assert.is(pace.events, 64);
  pace.committed({ events: 40, tookMs: 20 });
  assert.is(pace.events, 128, 'full, as 40 lanes have no more than one event each in 64');
  pace.committed({ events: 10, tookMs: 5 });
  assert.is(pace.events, 128, 'one that was not full says nothing of a full one');
  pace.committed({ events: 128, tookMs: 700 });
  assert.is(pace.events, 128, 'long enough');
  for (let commit = 0; commit < 20; commit++) pace.committed({ events: pace.events, tookMs: 20 });
  assert.is(pace.events, 800);
  assert.is(createConvoyPace({ most: 10, meantMs: 1_000 }).events, 10);
});

test('slow convoys shrink to where they began, and below that only when their time runs out', () => {
  const pace = createConvoyPace({ most: 800, meantMs: 1_000 });
  for (let commit = 0; commit < 5; commit++) pace.committed({ events: pace.events, tookMs: 20 });
  const grown = pace.events;
  pace.committed({ events: grown, tookMs: 1_500 });
  assert.is(pace.events, Math.floor(grown / 2));
  for (let commit = 0; commit < 20; commit++) pace.committed({ events: pace.events, tookMs: 1_500 });
  assert.is(pace.events, 64);
  pace.ranOut();
  assert.is(pace.events, 16);
  pace.committed({ events: 16, tookMs: 900 });
  assert.is(pace.events, 32, 'it comes back as soon as what is small is done in time');
  for (let again = 0; again < 20; again++) pace.ranOut();
  assert.is(pace.events, 1);
});

test.run();
