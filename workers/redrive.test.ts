import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createLaneSystem } from './testing/lane-system.ts';
import { done } from '../core/events/handler.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { createWorld } from '../core/testing/world.ts';

const never = () => new LanewayError('payload.invalid', 'never', { retry: 'never' });

test('a dead event is run again by its own lane, once, and marked as out of order', async () => {
  await using world = await createWorld();
  let broken = true;
  let runs = 0;
  const system = createLaneSystem(world, {
    h: {
      run: (n) => {
        if (n !== 1) return done;
        runs += 1;
        if (broken) throw never();
        return done;
      },
    },
  });
  await system.seed('m', [{ n: 1 }, { n: 2 }]);
  await system.run('m');
  assert.equal(await system.settled('m'), ['1 dead', '2 done']);
  broken = false;
  runs = 0;
  await system.redrive('m', 1, 'h');
  await system.redrive('m', 1, 'h');
  assert.is((await system.run('m')).kind, 'caught-up');
  await system.run('m');
  assert.is(runs, 1);
  assert.equal(await system.settled('m'), ['2 done', '1 done out of order']);
  const commands = await world.postgres.db.selectFrom('redrives').select(['result', 'finished_at']).execute();
  assert.equal(
    commands.map(({ result, finished_at }) => [result, finished_at !== null]),
    [
      ['done', true],
      ['done', true],
    ],
  );
  assert.is((await system.lane('m')).due_at, null);
});

test('every dead letter has a deduplication id of its own: of two handlers, and of a redrive that failed again', async () => {
  await using world = await createWorld();
  const fails = () => {
    throw never();
  };
  const system = createLaneSystem(world, { g: { run: fails }, h: { run: fails } });
  await system.seed('m', [{ n: 1 }]);
  await system.run('m');
  await system.redrive('m', 1, 'h');
  await system.run('m');
  const letters = await system.deadLetters();
  assert.equal(
    letters.map((letter) => letter.attributes['handler']),
    ['g', 'h', 'h'],
  );
  assert.is(new Set(letters.map((letter) => letter.deduplication_id)).size, 3);
});

test('what queued behind a parked event follows its redrive in order, and later events of the aggregate go behind that', async () => {
  await using world = await createWorld();
  let broken = true;
  const system = createLaneSystem(world, {
    h: {
      holds: 'aggregate',
      onPoison: 'keep',
      run: (n) => {
        if (n === 1 && broken) throw never();
        return done;
      },
    },
  });
  const of = (n: number) => ({ n, key: 'a' });
  await system.seed('m', [1, 2, 3].map(of));
  await system.run('m');
  assert.equal(await system.settled('m'), []);
  broken = false;
  await system.redrive('m', 1, 'h');
  // Accepted after the command and before anybody carried it out.
  await system.seed('m', [4, 5].map(of));
  await system.run('m', { windowEvents: 1 });
  assert.equal(
    (await system.settled('m')).map((each) => each.split(' ', 1)[0]),
    ['1', '2', '3', '4', '5'],
  );
});

test.run();
