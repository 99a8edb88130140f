import { isDeepStrictEqual } from 'node:util';

export type JsonSchema = { readonly [keyword: string]: unknown };

/**
 * Which promise a schema makes: `accepts` what producers may send, `yields` what handlers may rely on. Taking less than before
 * breaks the first, giving less the second.
 */
export type Promised = 'accepts' | 'yields';

export interface Breach {
  /** `changedAttributes.priceMinor`; empty for the whole payload. */
  path: string;
  what: string;
}

const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
const textRules = ['pattern', 'format'];
/** Compared below, or without a meaning for what is valid. */
const understood = new Set([
  ...lowerBounds,
  ...upperBounds,
  ...textRules,
  ...['$schema', 'title', 'description', 'default', 'examples', 'deprecated', 'id'],
  ...['type', 'enum', 'const', 'properties', 'required', 'additionalProperties', 'propertyNames', 'items', 'anyOf'],
]);

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const schemaOf = (value: unknown): JsonSchema => (isSchema(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];
const show = (value: unknown): string => JSON.stringify(value) ?? 'nothing';

/** What of `before` no longer holds in `after`. Empty when whoever relied on it still may. */
export function findBreaches(before: JsonSchema, after: JsonSchema, promised: Promised, path = ''): Breach[] {
  const breach = (what: string): Breach => ({ path, what });
  return [
    ...compareTypes(before, after, promised).map(breach),
    ...(promised === 'accepts' ? compareRules(before, after).map(breach) : []),
    ...compareProperties(before, after, promised, path),
    ...compareNested(before, after, promised, path),
    ...unjudged(before, after).map(breach),
  ];
}

function compareTypes(before: JsonSchema, after: JsonSchema, promised: Promised): string[] {
  const [had, has] = [listOf(before['type']), listOf(after['type'])];
  const [narrow, wide] = promised === 'accepts' ? [had, has] : [has, had];
  const covered = (type: unknown) => wide.includes(type) || (type === 'integer' && wide.includes('number'));
  if (wide.length === 0 || (narrow.length > 0 && narrow.every(covered))) return [];
  return [`was ${show(before['type'])} and is ${show(after['type'])}`];
}

function compareRules(before: JsonSchema, after: JsonSchema): string[] {
  const found: string[] = [];
  const bound = (names: readonly string[], tighter: (was: number, is: number) => boolean) => {
    for (const name of names) {
      const [was, is] = [before[name], after[name]];
      if (typeof is === 'number' && (typeof was !== 'number' || tighter(was, is)))
        found.push(`has ${name} ${is}, had ${show(was)}`);
    }
  };
  bound(lowerBounds, (was, is) => is > was);
  bound(upperBounds, (was, is) => is < was);
  for (const name of textRules)
    if (after[name] !== undefined && after[name] !== before[name]) found.push(`has another ${name}`);
  const allowed = valuesOf(after);
  if (allowed !== undefined) {
    const gone = valuesOf(before)?.filter((value) => !allowed.some((each) => isDeepStrictEqual(each, value)));
    if (gone === undefined) found.push(`admits only ${show(allowed)}`);
    else if (gone.length > 0) found.push(`no longer admits ${gone.map(show).join(', ')}`);
  }
  if (before['additionalProperties'] !== false && after['additionalProperties'] === false)
    found.push('no longer lets unknown fields pass');
  return found;
}

const valuesOf = (schema: JsonSchema): readonly unknown[] | undefined =>
  'const' in schema ? [schema['const']] : 'enum' in schema ? listOf(schema['enum']) : undefined;

function compareProperties(before: JsonSchema, after: JsonSchema, promised: Promised, path: string): Breach[] {
  const [had, has] = [schemaOf(before['properties']), schemaOf(after['properties'])];
  const [needed, needs] = [listOf(before['required']), listOf(after['required'])];
  const found: Breach[] = [];
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  for (const [name, schema] of Object.entries(had)) {
    if (!(name in has)) found.push({ path: at(name), what: 'is gone' });
    else found.push(...findBreaches(schemaOf(schema), schemaOf(has[name]), promised, at(name)));
  }
  const [from, to, what] =
    promised === 'accepts' ? [needs, needed, 'is required now'] : [needed, needs, 'is not always there any more'];
  for (const name of from)
    if (!to.includes(name) && (promised === 'accepts' || String(name) in has))
      found.push({ path: at(String(name)), what });
  return found;
}

function compareNested(before: JsonSchema, after: JsonSchema, promised: Promised, path: string): Breach[] {
  const found: Breach[] = [];
  for (const [keyword, suffix] of [
    ['items', '[]'],
    ['additionalProperties', '.*'],
    ['propertyNames', '.(name)'],
  ] as const) {
    const [was, is] = [before[keyword], after[keyword]];
    if (isSchema(was) && isSchema(is)) found.push(...findBreaches(was, is, promised, `${path}${suffix}`));
    else if (isSchema(is) && Object.keys(is).length > 0 && promised === 'accepts')
      found.push({ path: `${path}${suffix}`, what: 'is restricted now' });
  }
  const [options, now] = [listOf(before['anyOf']), listOf(after['anyOf'])];
  const [must, may] = promised === 'accepts' ? [options, now] : [now, options];
  if (may.length < must.length) found.push({ path, what: `has ${now.length} alternatives, had ${options.length}` });
  else
    for (const [index, option] of must.entries()) {
      const [was, is] = promised === 'accepts' ? [option, may[index]] : [may[index], option];
      found.push(...findBreaches(schemaOf(was), schemaOf(is), promised, `${path}|${index}`));
    }
  return found;
}

/** A keyword that this comparison does not know may mean anything. */
function unjudged(before: JsonSchema, after: JsonSchema): string[] {
  const keywords = new Set([...Object.keys(before), ...Object.keys(after)].filter((name) => !understood.has(name)));
  return [...keywords]
    .filter((name) => !isDeepStrictEqual(before[name], after[name]))
    .map((name) => `differs in ${name}, which cannot be judged`);
}
