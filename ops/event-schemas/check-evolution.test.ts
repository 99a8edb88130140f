import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import type { EventVersion } from '../../core/events/definition.ts';
import { type Registry, registry } from '../../core/events/registry.ts';
import { checkEvolution } from './check-evolution.ts';
import { snapshotsOf } from './snapshots.ts';

/** One event with these versions. */
const registryOf = (...schemas: [string, z.ZodType][]): Registry => {
  const [base] = registry.values();
  const versions = schemas.map(([version, schema]): EventVersion => ({
    version,
    schema,
    upcast: (payload) => payload,
  }));
  const [first, ...rest] = versions;
  if (base === undefined || first === undefined) throw new Error('an event has a version');
  return new Map([['XEvent', { ...base, name: 'XEvent', versions: [first, ...rest] }]]);
};

const before = z.looseObject({
  id: z.string().max(10),
  kind: z.enum(['a', 'b']),
  price: z.looseObject({ minor: z.int().min(0), note: z.string().optional() }),
  tags: z.array(z.string()).max(5).optional(),
});

const complaintsAbout = (after: z.ZodType) =>
  checkEvolution(registryOf(['1.0.0', after]), snapshotsOf(registryOf(['1.0.0', before]))).map(
    ({ kind, what }) => `${kind}: ${what}`,
  );

test('what takes or gives less than was promised is breaking', () => {
  const breaking: [z.ZodType, string][] = [
    [before.omit({ kind: true }), 'kind is gone'],
    [before.extend({ id: z.string().max(9) }), 'id has maxLength 9, had 10'],
    [before.extend({ id: z.int() }), 'id was "string" and is "integer"'],
    [before.extend({ kind: z.enum(['a']) }), 'kind no longer admits "b"'],
    [before.extend({ reason: z.string() }), 'reason is required now'],
    [before.extend({ kind: before.shape.kind.optional() }), 'kind is not always there any more'],
    [
      before.extend({ price: before.shape.price.extend({ minor: z.number() }) }),
      'price.minor was "integer" and is "number"',
    ],
    [before.extend({ price: before.shape.price.extend({ note: z.string() }) }), 'price.note is required now'],
    [before.extend({ tags: z.array(z.string()).max(4).optional() }), 'tags has maxItems 4, had 5'],
    [before.extend({ tags: z.array(z.string().regex(/^x/)).max(5).optional() }), 'tags[] has another pattern'],
    [z.strictObject(before.shape), 'the payload no longer lets unknown fields pass'],
    [before.extend({ id: z.union([z.string().max(10), z.int()]) }), 'id has 2 alternatives, had 0'],
  ];
  for (const [schema, what] of breaking)
    assert.ok(complaintsAbout(schema).includes(`breaking: ${what}`), `${what}: ${String(complaintsAbout(schema))}`);
});

test('what only adds is not: it asks for a new snapshot, and nothing else', () => {
  const added: z.ZodType[] = [
    before.extend({ reason: z.string().optional() }),
    before.extend({ id: z.string().max(20) }),
    before.extend({ kind: z.enum(['a', 'b', 'c']) }),
    before.extend({ price: before.shape.price.extend({ currency: z.string().optional() }) }),
  ];
  for (const schema of added)
    assert.equal(complaintsAbout(schema), ['stale: differs from its committed schema, in a way that breaks nobody']);
  assert.equal(complaintsAbout(before), []);
});

test('a new minor may only add to the one before; a new major may do anything', () => {
  const less = before.omit({ kind: true });
  const check = (version: string) => {
    const now = registryOf(['1.0.0', before], [version, less]);
    return checkEvolution(now, snapshotsOf(now)).map(({ version: at, what }) => `${at} ${what}`);
  };
  assert.equal(check('1.1.0'), ['1.1.0 beside 1.0.0: kind is gone']);
  assert.equal(check('2.0.0'), []);
});

test('a version that disappears is breaking: messages of it may still be anywhere', () => {
  const committed = snapshotsOf(registryOf(['1.0.0', before], ['2.0.0', before]));
  const [complaint] = checkEvolution(registryOf(['2.0.0', before]), committed);
  assert.equal([complaint?.kind, complaint?.version], ['breaking', '1.0.0']);
});

test.run();
