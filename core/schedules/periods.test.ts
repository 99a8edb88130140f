import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { periodAt, periodsSince } from './periods.ts';
import type { Timing } from './definition.ts';
import { createSchedules } from './schedules.ts';

const at = (iso: string): number => Date.parse(iso);
const iso = (epochMs: number): string => new Date(epochMs).toISOString();
const periodOf = (timing: Timing, moment: string): string[] => {
  const { startMs, endMs } = periodAt(timing, at(moment));
  return [iso(startMs), iso(endMs)];
};

test('an interval starts with its period and ends before the next', () => {
  const hourly = { everyMs: 3_600_000 };
  for (const moment of ['2026-11-24T10:00:00.000Z', '2026-11-24T10:59:59.999Z'])
    assert.equal(periodOf(hourly, moment), ['2026-11-24T10:00:00.000Z', '2026-11-24T11:00:00.000Z']);
});

test('a cron expression is read on the clocks of its zone, to the millisecond', () => {
  const atThree = { cron: '0 3 * * *', zone: 'America/New_York' };
  assert.equal(periodOf(atThree, '2026-07-01T07:00:00.000Z'), ['2026-07-01T07:00:00.000Z', '2026-07-02T07:00:00.000Z']);
  assert.equal(periodOf(atThree, '2026-07-01T06:59:59.999Z'), ['2026-06-30T07:00:00.000Z', '2026-07-01T07:00:00.000Z']);
  assert.equal(periodOf({ cron: '0 0 1 * *', zone: 'UTC' }, '2026-03-15T00:00:00.000Z'), [
    '2026-03-01T00:00:00.000Z',
    '2026-04-01T00:00:00.000Z',
  ]);
});

test('a day whose clocks leap over the time, or show it twice, has one period as any other', () => {
  const daily = { cron: '30 2 * * *', zone: 'Europe/Berlin' };
  const starts = (from: string, to: string) =>
    periodsSince(daily, at(from), at(to), 10).periods.map(({ startMs }) => iso(startMs));
  assert.equal(starts('2026-03-28T01:30:00.000Z', '2026-03-30T12:00:00.000Z'), [
    '2026-03-29T01:30:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ]);
  assert.equal(starts('2026-10-24T00:30:00.000Z', '2026-10-26T12:00:00.000Z'), [
    '2026-10-25T00:30:00.000Z',
    '2026-10-26T01:30:00.000Z',
  ]);
  // In the hour that comes twice, the second time too.
  assert.is(periodOf(daily, '2026-10-25T01:45:00.000Z')[0], '2026-10-25T00:30:00.000Z');
});

test('periods follow one another without a gap over a year of any timing', () => {
  for (const cron of ['30 2 * * *', '*/20 * * * *', '0 0 1 * *', '15 1 * * 1']) {
    const timing = { cron, zone: 'Europe/Berlin' };
    let period = periodAt(timing, at('2026-10-20T12:00:00.000Z'));
    for (let n = 0; n < 250; n++) {
      const next = periodAt(timing, period.endMs);
      assert.is(next.startMs, period.endMs, `${cron} after ${iso(period.startMs)}`);
      assert.ok(next.endMs > next.startMs);
      assert.is(periodAt(timing, period.endMs - 1).startMs, period.startMs);
      period = next;
    }
  }
});

test('of more missed periods than may be caught up the latest are worked, and it is said that there were more', () => {
  const hourly = { everyMs: 3_600_000 };
  const { periods, more } = periodsSince(hourly, at('2026-11-24T00:00:00.000Z'), at('2026-11-24T09:30:00.000Z'), 3);
  assert.equal(
    periods.map(({ startMs }) => iso(startMs).slice(11, 16)),
    ['07:00', '08:00', '09:00'],
  );
  assert.is(more, true);
  assert.is(periodsSince(hourly, at('2026-11-24T08:00:00.000Z'), at('2026-11-24T09:30:00.000Z'), 3).more, false);
});

test('schedules that could not be kept are refused, with every fault', () => {
  const job = { description: 'x', missed: 'skip', due: () => Promise.reject(new Error('not here')) } as const;
  const make = () =>
    createSchedules([
      { ...job, name: 'Bad name', timing: { everyMs: 10 } },
      { ...job, name: 'a.b', timing: { cron: '61 * * * *', zone: 'UTC' } },
      { ...job, name: 'a.c', timing: { cron: '0 3 * * *', zone: 'Mars/Base' } },
      { ...job, name: 'a.d', timing: { cron: '* * * * * *', zone: 'UTC' }, missed: { catchUp: 0 } },
      { ...job, name: 'a.e', timing: { cron: '0 0 31 2 *', zone: 'UTC' }, pageSize: 0 },
      { ...job, name: 'a.e', timing: { everyMs: 60_000 } },
    ]);
  for (const fault of [
    'Bad name is not named',
    'less than 1000',
    'range 0-59',
    'Mars/Base, which is none',
    'not five fields',
    'catches up 0 periods',
    'a.e has cron 0 0 31 2',
    'pages of 0',
    'two jobs have one name',
  ])
    assert.throws(make, new RegExp(fault));
});

test.run();
