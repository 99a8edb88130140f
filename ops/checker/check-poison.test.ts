import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SentEvent } from '../load/load-event.ts';
import { checkMessages } from './check-messages.ts';
import { checkPoison } from './check-poison.ts';
import type { Evidence } from './evidence.ts';
import { sent } from './faultless-run.fixture.ts';

const poison: SentEvent[] = sent.slice(2, 3).map((event) => ({ ...event, body: '{"cut', isPoison: true }));
const nothing: Pick<Evidence, 'accepted' | 'deadLetters'> = { accepted: [], deadLetters: [] };
const letter = (body: string): Evidence['deadLetters'] => [
  { queue: 'q', body, merchantId: undefined, eventId: undefined, handler: '', errorCode: 'envelope.not_json' },
];

test('poison that lies in a dead-letter queue, with or without the envelope of a topic, is as it should be', () => {
  assert.equal(checkPoison(poison, { ...nothing, deadLetters: letter('{"cut') }), []);
  const wrapped = JSON.stringify({ Type: 'Notification', Message: '{"cut' });
  assert.equal(checkPoison(poison, { ...nothing, deadLetters: letter(wrapped) }), []);
  assert.equal(checkPoison(sent, nothing), []);
});

test('lost: poison that is in no dead-letter queue', () => {
  const [finding] = checkPoison(poison, { ...nothing, deadLetters: letter('{"other') });
  assert.equal(finding, {
    kind: 'lost',
    what: 'event p2 of shop-1, which cannot be read, is in no dead-letter queue',
  });
});

test('duplicated: poison that was accepted all the same', () => {
  const accepted = [{ merchantId: 'shop-1', eventId: 'p2', mseq: 1 }];
  const [finding] = checkPoison(poison, { accepted, deadLetters: letter('{"cut') });
  assert.is(finding?.kind, 'duplicated');
});

const mail = (tag: string | null) => ({ channel: 'email', to: ['owner@example.org'], tag });
const notified = [{ channel: 'email', to: 'owner@example.org', count: 2 }];

test('messages that were taken once each are as they should be', () => {
  assert.equal(checkMessages({ messages: [mail('a'), mail('b')], notified }), []);
});

test('duplicated: a message that its provider took twice under one name', () => {
  assert.equal(checkMessages({ messages: [mail('a'), mail('a')], notified }), [
    { kind: 'duplicated', what: 'email a was taken 2 times' },
  ]);
});

test('duplicated: more messages than there are notifications, whatever they are called', () => {
  assert.equal(checkMessages({ messages: [mail('a'), mail('b'), mail(null)], notified }), [
    { kind: 'duplicated', what: '["email","owner@example.org"] got 3 messages of 2' },
  ]);
});

test.run();
