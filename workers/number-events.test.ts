import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptable } from '../core/testing/acceptable.ts';
import { type LockedMailbox, numberEvents } from './number-events.ts';

const today = '2026-11-25';
const mailbox = (merchantId: string, nextMseq = 1, cursor = 0): LockedMailbox => ({
  ...{ merchantId, nextMseq, cursor },
  lastDay: '2026-11-24',
});

test('what is stored is what is answered as accepted, dense from the mailbox on, and the mailbox ends behind it', () => {
  const offered = fc.array(
    fc.record({
      merchant: fc.constantFrom('a', 'b'),
      id: fc.integer({ min: 0, max: 5 }),
      body: fc.constantFrom('x', 'y'),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(offered, fc.integer({ min: 0, max: 5 }), (drawn, knownId) => {
      const events = drawn.map(({ merchant, id, body }) => acceptable(merchant, `e${id}`, body));
      const known = events.flatMap(({ eventId, bodyHmac }, at) =>
        eventId === `e${knownId}` ? [{ at, mseq: 3, day: '2026-11-20', bodyHmac }] : [],
      );
      const { results, fresh, mailboxes } = numberEvents(events, {
        mailboxes: [mailbox('a', 7), mailbox('b', 4)],
        known,
        today,
      });
      for (const [merchantId, start] of [
        ['a', 7],
        ['b', 4],
      ] as const) {
        const stored = fresh.filter(({ event }) => event.merchantId === merchantId).map(({ mseq }) => mseq);
        const accepted = results.flatMap((result, i) =>
          result.status === 'accepted' && events[i]?.merchantId === merchantId ? [result.mseq] : [],
        );
        assert.equal(stored, accepted);
        assert.equal(
          stored,
          stored.map((_, i) => start + i),
        );
        const after = mailboxes.find((each) => each.merchantId === merchantId);
        assert.is(after?.nextMseq, stored.length === 0 ? undefined : start + stored.length);
      }
      assert.is(new Set(fresh.map(({ event }) => `${event.merchantId} ${event.eventId}`)).size, fresh.length);
      assert.not.ok(fresh.some(({ event }) => event.eventId === `e${knownId}`));
    }),
  );
});

test('the day follows the clock, but never falls behind the one before', () => {
  const dayAfter = { ...mailbox('m'), lastDay: '2026-11-26' };
  const numbered = (box: LockedMailbox) => numberEvents([acceptable('m', 'e')], { mailboxes: [box], known: [], today });
  assert.is(numbered(mailbox('m')).fresh[0]?.day, '2026-11-25');
  assert.is(numbered(dayAfter).fresh[0]?.day, '2026-11-26');
  assert.is(numbered(dayAfter).mailboxes[0]?.lastDay, '2026-11-26');
});

test('an event whose mailbox is not locked is not numbered', () => {
  assert.throws(() => numberEvents([acceptable('m', 'e')], { mailboxes: [], known: [], today }), /m is not locked/);
});

test.run();
