import { EventEmitter } from 'node:events';
import type { Worker } from 'bullmq';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tellErrors } from './rest-after-errors.ts';
import { waitFor } from '../core/testing/wait-for.ts';

function setUp(quietMs: number) {
  // Only what is listened to.
  const worker = new EventEmitter();
  const told: string[] = [];
  const trouble = {
    failing: (error: unknown) => void told.push((error as Error).message),
    ok: () => void told.push('ok'),
  };
  tellErrors(worker as unknown as Worker, trouble, quietMs);
  return { worker, told };
}

test('an idle queue whose connection failed is well again once no error has come for a while', async () => {
  const { worker, told } = setUp(30);
  worker.emit('error', new Error('reset'));
  worker.emit('error', new Error('refused'));
  assert.equal(told, ['reset', 'refused']);
  await waitFor('it to be over', () => told.length === 3);
  assert.equal(told, ['reset', 'refused', 'ok']);
});

test('nothing is told of a queue that closes', async () => {
  const { worker, told } = setUp(1);
  worker.emit('error', new Error('reset'));
  worker.emit('closing');
  await new Promise((resolve) => void setTimeout(resolve, 30));
  assert.equal(told, ['reset']);
});

test.run();
