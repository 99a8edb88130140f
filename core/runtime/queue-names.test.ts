import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { activationQueueName, bullPrefix, effectQueueName, laneQueueName } from './queue-names.ts';

const hostile = [
  'shop-1',
  'Shop-1',
  'a:b',
  'a~3Ab',
  'a{b}c',
  '{}',
  '}{',
  '123',
  '../x',
  '',
  ' ',
  '~',
  '*',
  'wait',
  'ünïcode-☃',
  '👩‍🚀',
  'line\nbreak',
  '<script>alert(1)</script>',
  'x'.repeat(100),
  'x'.repeat(101),
  'x'.repeat(300),
  `${'x'.repeat(300)}y`,
  ':'.repeat(200),
];

test('hostile merchant ids give lane names that BullMQ and Redis Cluster accept', () => {
  for (const merchantId of hostile) {
    const name = laneQueueName(merchantId);
    assert.match(name, /^lane-\{[A-Za-z0-9_.~-]*\}$/, merchantId);
    assert.ok(name.length <= 120, `${name} is ${name.length} long`);
  }
});

test('different merchants never share a lane', () => {
  const names = new Set(hostile.map(laneQueueName));
  assert.is(names.size, hostile.length);
});

test('every queue has a hash tag of its own, so that a cluster spreads them', () => {
  const names = [activationQueueName(0), activationQueueName(1), effectQueueName(0), laneQueueName('activations-0')];
  assert.equal(names, ['{activations-0}', '{activations-1}', '{effects-0}', 'lane-{activations-0}']);
});

test('the prefix of BullMQ keys is the stack', () => {
  assert.is(bullPrefix('laneway-blue'), 'laneway-blue');
});

test.run();
