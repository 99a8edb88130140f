import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runBackfill } from './run-backfill.ts';
import { done } from '../../core/events/handler.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { createWorld } from '../../core/testing/world.ts';
import { codeOf, release, settledBy } from '../../workers/testing/release.ts';

const plain = { run: () => done };

test('a new handler runs for no event while a worker lacks it, for every event once none does, and for the missed by command', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const old = release(world, 'old', { g: plain });
  await old.starts.align();
  let broken: number | undefined = 2;
  const added = release(world, 'new', {
    g: plain,
    h: {
      run: (n) => {
        if (n === broken) throw new LanewayError('payload.invalid', 'never');
        return done;
      },
    },
  });
  const backfill = (how: { includeOutOfOrder: boolean; yes?: boolean; merchantId?: string }) =>
    runBackfill(
      {
        db,
        registry: added.deps.registry,
        clock: systemClock,
        wake: async (merchantIds) => {
          // The command is due by the database's clock, which runs on while the test's stands.
          added.clock.time += 1_000;
          for (const merchantId of merchantIds) await added.run(merchantId);
        },
      },
      {
        handler: 'h',
        merchantId: how.merchantId,
        includeOutOfOrder: how.includeOutOfOrder,
        carryOut: how.yes === true ? { requester: { by: 'ada', reason: 'a test' }, waitMs: 10_000 } : undefined,
      },
    );
  await added.starts.align();

  await added.seed('m', [{ n: 1 }, { n: 2 }]);
  await added.seed('quiet', [{ n: 1 }]);
  await added.run('m');
  await old.run('quiet');
  assert.equal(await settledBy(world, 'h'), []);
  assert.is(await codeOf(backfill({ includeOutOfOrder: false })), 'operators.refused');

  await old.starts.stop();
  await added.starts.align();
  await added.seed('m', [{ n: 3 }, { n: 4 }]);
  await added.run('m');
  assert.equal(await settledBy(world, 'h'), ['m 3', 'm 4']);

  // Was taken for dead, comes back, and leaves to others what it would make holes in.
  await added.seed('m', [{ n: 5 }]);
  assert.is(await codeOf(old.run('m')), 'envelope.unknown_type');
  assert.equal(await settledBy(world, 'h'), ['m 3', 'm 4']);
  await added.run('m');

  const counted = (await backfill({ includeOutOfOrder: false })).value;
  const none = { done: 0, skipped: 0, dead: 0 };
  assert.equal(counted, { handler: 'h', dryRun: true, missed: 1, outOfOrder: 2, ...none, complete: true });
  assert.equal((await backfill({ includeOutOfOrder: false, yes: true })).value, {
    ...{ handler: 'h', dryRun: false, missed: 1, outOfOrder: 2 },
    ...{ done: 1, skipped: 0, dead: 0, complete: true },
  });
  assert.equal((await backfill({ includeOutOfOrder: true, yes: true })).value, {
    ...{ handler: 'h', dryRun: false, missed: 2, outOfOrder: 0 },
    ...{ done: 1, skipped: 0, dead: 1, complete: true },
  });
  broken = undefined;
  assert.equal((await backfill({ includeOutOfOrder: true, yes: true })).value, {
    ...{ handler: 'h', dryRun: false, missed: 0, outOfOrder: 0 },
    ...{ ...none, complete: true },
  });
  assert.equal(await settledBy(world, 'h'), [
    'm 3',
    'm 4',
    'm 5',
    'quiet 1 out of order',
    'm 1 out of order',
    'm 2 out of order',
  ]);
  assert.equal(await settledBy(world, 'g'), ['m 1', 'm 2', 'quiet 1', 'm 3', 'm 4', 'm 5']);
});

test.run();
