import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readDeliveries } from './deliveries.ts';
import { moveLane, takeFence } from './fence.ts';
import { inLaneTransaction, type LaneTransaction } from './lane-transaction.ts';
import { createLaneSystem } from './testing/lane-system.ts';
import { done } from '../core/events/handler.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { waitFor } from '../core/testing/wait-for.ts';
import { type World, createWorld } from '../core/testing/world.ts';

const tenure = (owner: string, expectedCursor?: number) => ({ owner, worker: owner, expectedCursor });
const transact = <T>(world: World, work: (trx: LaneTransaction) => Promise<T>) =>
  inLaneTransaction(world.postgres.pool, 10_000, new AbortController().signal, work);

const move = (world: World, owner: string, cursor: number, expectedCursor?: number) =>
  transact(world, async (trx) => {
    await takeFence(trx, 'm', tenure(owner, expectedCursor));
    await moveLane(trx, 'm', tenure(owner), { cursor, cursorDay: '2026-11-23', recount: false });
  });

const refusal = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'let through';
  } catch (error) {
    return error instanceof LanewayError ? error.code : String(error);
  }
};

test('a lane that changed hands refuses its former owner, also where the cursor stands where that one left it', async () => {
  await using world = await createWorld();
  await move(world, 'former', 3);
  await move(world, 'successor', 3);
  assert.is(await refusal(move(world, 'former', 4, 3)), 'fence.lost');
  await move(world, 'successor', 4, 3);
});

test('an owner that finds another cursor than it left is refused, as after a restore that brought its token back', async () => {
  await using world = await createWorld();
  await move(world, 'owner', 3);
  await move(world, 'owner', 5, 3);
  await sql`update lanes set cursor = 3`.execute(world.postgres.db);
  assert.is(await refusal(move(world, 'owner', 6, 5)), 'fence.lost');
});

test('an owner whose commit went through although it was given up goes on from there', async () => {
  await using world = await createWorld();
  await move(world, 'owner', 3);
  // its transaction ran out of time while the commit was under way: it still believes in 3
  await move(world, 'owner', 5, 3);
  await move(world, 'owner', 6, 3);
  assert.is(await refusal(move(world, 'another', 6, 3)), 'fence.lost');
});

test('a take-over that was rolled back gives nobody a claim: whoever commits next is the owner', async () => {
  await using world = await createWorld();
  await move(world, 'first', 1);
  const failed = transact(world, async (trx) => {
    await takeFence(trx, 'm', tenure('second'));
    await moveLane(trx, 'm', tenure('second'), { cursor: 2, cursorDay: '2026-11-23', recount: false });
    throw new Error('rolled back');
  });
  assert.match(await refusal(failed), 'rolled back');
  await move(world, 'third', 2);
  assert.is(await refusal(move(world, 'second', 3, 2)), 'fence.lost');
  assert.is(await refusal(move(world, 'first', 3, 1)), 'fence.lost');
});

test('whoever waited for the fence reads all that the previous owner committed meanwhile', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  let broken = true;
  let ran: number[] = [];
  const { promise: parking, resolve: park } = Promise.withResolvers<void>();
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const system = createLaneSystem(world, {
    h: {
      holds: 'aggregate',
      onPoison: 'keep',
      run: async (n) => {
        ran.push(n);
        if (n === 1 && broken) {
          enter();
          await parking;
          throw new LanewayError('payload.invalid', 'never', { retry: 'never' });
        }
        return done;
      },
    },
  });
  await system.seed('m', [{ n: 1, key: 'a' }]);
  const previous = system.run('m', { windowEvents: 1, quantumWindows: 1 });
  await entered;
  await system.seed('m', [{ n: 2, key: 'a' }]);
  const next = system.run('m');
  await waitFor('the successor to wait for the fence', async () => {
    const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
    return rows.length === 1;
  });
  broken = false;
  ran = [];
  park();
  await Promise.all([previous, next]);
  const open = await transact(world, (trx) => readDeliveries(trx, 'm'));
  assert.equal(
    open.map(({ mseq, state }) => [mseq, state]),
    [
      [1, 'parked'],
      [2, 'behind'],
    ],
  );
  assert.equal(ran, [], 'neither the parked event nor the one behind it ran again');
});

test.run();
