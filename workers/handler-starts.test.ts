import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeOf, release, settledBy } from './testing/release.ts';
import { done } from '../core/events/handler.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { createWorld } from '../core/testing/world.ts';

const plain = { run: () => done };

test('a handler that no worker has any more is retired, and what it left holds nobody up', async () => {
  await using world = await createWorld();
  const { db } = world.postgres;
  const old = release(world, 'old', {
    g: plain,
    h: {
      holds: 'event',
      run: () => {
        throw new LanewayError('payload.invalid', 'later', { retry: 'backoff' });
      },
    },
  });
  await old.starts.align();
  await old.seed('m', [{ n: 1 }]);
  await old.run('m');
  const next = release(world, 'next', { g: plain });
  await next.starts.align();
  await next.seed('m', [{ n: 2 }]);
  assert.is(await codeOf(next.run('m')), 'envelope.unknown_type');

  // Dead without having said so.
  await sql`update worker_handlers set seen_at = seen_at - interval '2 minutes' where worker = 'old'`.execute(db);
  await next.starts.align();
  next.clock.time += 60_000;
  assert.equal(await next.run('m'), { kind: 'caught-up', events: 1 });
  assert.equal(await settledBy(world, 'g'), ['m 1', 'm 2']);
  assert.equal(await settledBy(world, 'h'), []);
});

test.run();
