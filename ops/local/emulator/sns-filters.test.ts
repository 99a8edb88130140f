import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { matchesAttributes, matchesBody } from './sns-filters.ts';

const text = (value: string) => ({ DataType: 'String', StringValue: value });
const number = (value: string) => ({ DataType: 'Number', StringValue: value });
const list = (value: string) => ({ DataType: 'String.Array', StringValue: value });

/** Which of the messages, by place, an attribute policy lets through. */
const passing = (policy: object, messages: Parameters<typeof matchesAttributes>[1][]) =>
  messages.flatMap((attributes, place) => (matchesAttributes({ ...policy }, attributes) ? [place] : []));
const passingBodies = (policy: object, messages: unknown[]) =>
  messages.flatMap((body, place) => (matchesBody({ ...policy }, JSON.stringify(body)) ? [place] : []));

test('all keys must match, one condition of a key is enough', () => {
  const messages = [
    { type: text('a'), region: text('eu') },
    { type: text('c'), region: text('eu') },
    { type: text('a') },
    { type: text('b'), region: text('eu') },
  ];
  assert.equal(passing({ type: ['a', 'b'], region: ['eu'] }, messages), [0, 3]);
});

test('strings match by prefix, suffix, wildcard, case and exclusion', () => {
  const of = (...values: string[]) => values.map((value) => ({ k: text(value) }));
  assert.equal(passing({ k: [{ prefix: 'ab' }] }, of('abc', 'xab')), [0]);
  assert.equal(passing({ k: [{ suffix: '.png' }] }, of('a.png', 'a.pngx')), [0]);
  assert.equal(passing({ k: [{ wildcard: 'a*z' }] }, of('abz', 'a.z', 'abzz?', 'b')), [0, 1]);
  assert.equal(passing({ k: [{ 'equals-ignore-case': 'AbC' }] }, of('abc', 'abd')), [0]);
  assert.equal(passing({ k: [{ 'anything-but': ['x', 'y'] }] }, [...of('x', 'z'), {}]), [1]);
  assert.equal(passing({ k: [{ 'anything-but': { prefix: 'x' } }] }, of('xa', 'z')), [1]);
});

test('numeric conditions match numbers, never strings that look like numbers', () => {
  const messages = [{ p: number('5') }, { p: number('5.0') }, { p: number('6') }, { p: text('5') }, {}];
  assert.equal(passing({ p: [{ numeric: ['=', 5] }] }, messages), [0, 1]);
  assert.equal(passing({ p: [5] }, messages), [0, 1]);
  assert.equal(passing({ p: ['5'] }, messages), [3]);
  assert.equal(passing({ p: [{ numeric: ['>', 5, '<=', 6] }] }, messages), [2]);
  assert.equal(passing({ p: [{ 'anything-but': [5] }] }, messages), [2, 3]);
});

test('one element of a String.Array is enough', () => {
  assert.equal(passing({ k: ['x'] }, [{ k: list('["x","z"]') }, { k: list('["y"]') }, { k: list('not json') }]), [0]);
  assert.equal(passing({ k: [{ numeric: ['>', 3] }] }, [{ k: list('[1,4]') }, { k: list('[1,2]') }]), [0]);
});

test('exists tells presence from absence', () => {
  const messages = [{ k: text('x') }, { other: text('x') }, {}];
  assert.equal(passing({ k: [{ exists: true }] }, messages), [0]);
  assert.equal(passing({ k: [{ exists: false }] }, messages), [1, 2]);
});

test('$or needs one of its alternatives', () => {
  const policy = { $or: [{ a: ['1'] }, { b: ['2'] }], c: [{ exists: false }] };
  assert.equal(
    passing(policy, [{ a: text('1') }, { b: text('2') }, { a: text('2') }, { a: text('1'), c: text('') }]),
    [0, 1],
  );
});

test('a body is matched by its nested keys', () => {
  const policy = { store: { name: ['A'] }, n: [{ numeric: ['>', 2] }] };
  const messages = [
    { store: { name: 'A' }, n: 3 },
    { store: { name: 'B' }, n: 3 },
    { store: { name: 'A' }, n: 1 },
    { n: 3 },
  ];
  assert.equal(passingBodies(policy, messages), [0]);
  assert.equal(
    passingBodies({ live: [true], gone: [null] }, [
      { live: true, gone: null },
      { live: 'true', gone: null },
    ]),
    [0],
  );
  assert.equal(passingBodies({ a: { b: [{ exists: false }] } }, [{ a: { b: 1 } }, { a: {} }, {}]), [1, 2]);
});

test('in a body one element of an array is enough, and it must match as a whole', () => {
  assert.equal(passingBodies({ tags: ['x'] }, [{ tags: ['x', 'y'] }, { tags: ['y'] }, { tags: [] }]), [0]);
  const policy = { items: { sku: ['s1'], n: [{ numeric: ['>', 1] }] } };
  const both = {
    items: [
      { sku: 's1', n: 2 },
      { sku: 's2', n: 9 },
    ],
  };
  const apart = {
    items: [
      { sku: 's1', n: 1 },
      { sku: 's2', n: 9 },
    ],
  };
  assert.equal(passingBodies(policy, [both, apart]), [0]);
});

test('a body that is not a JSON object is not delivered', () => {
  assert.is(matchesBody({ a: [{ exists: false }] }, 'not json'), false);
  assert.is(matchesBody({ a: [{ exists: false }] }, '[]'), false);
});

test.run();
