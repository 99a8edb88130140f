import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ZodType } from 'zod';
import { isoDay, isoTimestamp, utcTimestamp } from './envelope.ts';

const faults = (schema: ZodType, text: string) =>
  schema.safeParse(text).error?.issues.map(({ message }) => message) ?? [];
const beyond = ['must lie in the years 0001 to 9999 of UTC'];

test('a time whose year in UTC has no four digits, or is none, is refused, whatever its own zone says', () => {
  for (const text of ['9999-12-31T23:59:59-00:01', '0000-12-31T23:59:59Z', '0001-01-01T00:00:00+00:01'])
    assert.equal(faults(isoTimestamp, text), beyond, text);
  assert.equal(faults(utcTimestamp, '0000-06-01T00:00:00Z'), beyond);
  assert.equal(faults(isoDay, '0000-12-31'), beyond);
});

test('the first and the last such time pass, and what is no time has one fault', () => {
  for (const text of ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '9999-12-31T22:59:59-01:00'])
    assert.equal(faults(isoTimestamp, text), [], text);
  assert.equal([faults(isoDay, '0001-01-01'), faults(isoDay, '9999-12-31')], [[], []]);
  for (const text of ['', 'now', '2026-02-30T00:00:00Z', '10000-01-01T00:00:00Z'])
    assert.is(faults(isoTimestamp, text).length, 1, text);
});

test.run();
