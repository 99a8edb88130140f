import fc from 'fast-check';
import { z } from 'zod';

type JsonSchema = { readonly [keyword: string]: unknown };

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const schemaOf = (value: unknown): JsonSchema => (isSchema(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const numberOf = (value: unknown, fallback: number): number => (typeof value === 'number' ? value : fallback);

/** Payloads that a schema accepts, from what it yields: of a schema that normalises, the normal form is valid input too. */
export const arbitraryPayload = (schema: z.ZodType): fc.Arbitrary<unknown> =>
  arbitraryOf(z.toJSONSchema(schema, { io: 'output' })).filter((value) => schema.safeParse(value).success);

function arbitraryOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema['const']);
  if ('enum' in schema) return fc.constantFrom(...listOf(schema['enum']));
  if ('anyOf' in schema) return fc.oneof(...listOf(schema['anyOf']).map((option) => arbitraryOf(schemaOf(option))));
  switch (schema['type']) {
    case 'string':
      return arbitraryText(schema);
    case 'integer':
      return fc.integer(boundsOf(schema, -1_000, 1_000_000));
    case 'number':
      return fc.integer(boundsOf(schema, -1_000, 1_000_000)).map((n) => n);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array': {
      const minLength = numberOf(schema['minItems'], 0);
      const maxLength = Math.min(numberOf(schema['maxItems'], minLength + 3), minLength + 3);
      return fc.array(arbitraryOf(schemaOf(schema['items'])), { minLength, maxLength });
    }
    case 'object':
      return arbitraryObject(schema);
    default:
      return fc.oneof(fc.boolean(), fc.integer(), arbitraryWord);
  }
}

const arbitraryWord = fc.string({ unit: 'grapheme', maxLength: 12 });

const boundsOf = (schema: JsonSchema, min: number, max: number) => {
  const from = Math.ceil(numberOf(schema['minimum'], numberOf(schema['exclusiveMinimum'], min - 1) + 1));
  const to = Math.floor(numberOf(schema['maximum'], numberOf(schema['exclusiveMaximum'], max + 1) - 1));
  return { min: from, max: Math.max(from, Math.min(to, from + 1_000_000)) };
};

function arbitraryText(schema: JsonSchema): fc.Arbitrary<string> {
  if (schema['format'] === 'date-time')
    return typeof schema['pattern'] === 'string' && new RegExp(schema['pattern']).test(OFFSET_MOMENT)
      ? arbitraryOffsetMoment
      : arbitraryMoment;
  if (schema['format'] === 'date') return arbitraryMoment.map((moment) => moment.slice(0, 10));
  if (schema['format'] === 'email') return fc.emailAddress();
  if (schema['format'] === 'uri') return fc.webUrl();
  if (schema['format'] === 'uuid') return fc.uuid();
  if (typeof schema['pattern'] === 'string') return fc.stringMatching(new RegExp(schema['pattern']));
  const minLength = numberOf(schema['minLength'], 0);
  return fc.string({ minLength, maxLength: Math.min(numberOf(schema['maxLength'], minLength + 20), minLength + 20) });
}

const arbitraryMoment = fc
  .date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2030-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());

const OFFSET_MOMENT = '2026-01-31T10:00:00.000+02:00';
const arbitraryOffsetMoment = fc
  .tuple(arbitraryMoment, fc.constantFrom('Z', '+00:00', '+05:30', '-11:00'))
  .map(([moment, offset]) => moment.replace('Z', offset));

function arbitraryObject(schema: JsonSchema): fc.Arbitrary<unknown> {
  const required = listOf(schema['required']).map(String);
  const properties = Object.entries(schemaOf(schema['properties']));
  const values = schema['additionalProperties'];
  if (properties.length === 0 && isSchema(values))
    return fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_]{0,11}$/), arbitraryOf(values), { maxKeys: 4 });
  return fc.record(Object.fromEntries(properties.map(([name, each]) => [name, arbitraryOf(schemaOf(each))])), {
    requiredKeys: required,
  });
}

/**
 * Adds a field of a later release to every object that the schema describes, at every depth. Objects whose keys are data are
 * left alone.
 */
export function withUnknownFields(schema: z.ZodType, payload: unknown, field: string, value: unknown): unknown {
  const add = (node: JsonSchema, at: unknown): unknown => {
    if (Array.isArray(at)) return at.map((item) => add(schemaOf(node['items']), item));
    if (!isSchema(at) || !isSchema(node['properties'])) return at;
    const known = schemaOf(node['properties']);
    const inner = Object.entries(at).map(([name, each]) => [name, add(schemaOf(known[name]), each)]);
    return { ...Object.fromEntries(inner), [field]: value };
  };
  return add(z.toJSONSchema(schema, { io: 'output' }), payload);
}
