import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nowAndThen } from './log.ts';
import { captureLog } from '../testing/captured-log.ts';

test('what is met again and again is said at once, then once in a while with how often it was', () => {
  const { log, lines } = captureLog();
  let nowMs = 5_000;
  const met = nowAndThen(log, 'met', { everyMs: 1_000, clock: { now: () => nowMs } });
  const at = (ms: number, merchantId: string) => {
    nowMs = ms;
    met({ merchantId });
  };
  at(5_000, 'a');
  at(5_001, 'b');
  at(5_999, 'c');
  at(6_000, 'd');
  at(6_001, 'e');
  assert.equal(
    lines.map(({ merchantId, times }) => ({ merchantId, times })),
    [
      { merchantId: 'a', times: 1 },
      { merchantId: 'd', times: 3 },
    ],
  );
});

test.run();
