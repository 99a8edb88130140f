import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isFaultless } from './once-result.ts';

const report = (match: boolean) => ({ ours: { EUR: 1 }, recomputed: { EUR: match ? 1 : 2 }, match, differences: [] });
const good = { stalled: false, lost: 0, duplicated: 0, reordered: 0, reports: { invoices: report(true) } };

test('a run fails by one event lost, twice or out of order, by a stall, and by a report that is off', () => {
  assert.ok(isFaultless(good));
  for (const fault of [
    { lost: 1 },
    { duplicated: 1 },
    { reordered: 1 },
    { stalled: true },
    { reports: { spend: report(true), invoices: report(false) } },
  ])
    assert.not.ok(isFaultless({ ...good, ...fault }), JSON.stringify(fault));
});

test.run();
