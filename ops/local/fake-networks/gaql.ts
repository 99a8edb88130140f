import { z } from 'zod';

/**
 * The part of the Google Ads Query Language that a product needs: SELECT, FROM, WHERE with AND, LIMIT. Rows are flat, keyed
 * by snake_case paths; answers are nested and camelCase, as REST gives them.
 */
export type GaqlRow = Readonly<Record<string, unknown>>;

export interface GaqlQuery {
  readonly fields: readonly string[];
  readonly resource: string;
  readonly conditions: readonly GaqlCondition[];
}

interface GaqlCondition {
  readonly field: string;
  readonly holds: (value: string) => boolean;
}

/** Throws an Error with what cannot be read. */
export function parseGaql(query: string): GaqlQuery {
  const parts = /^\s*SELECT\s+(.+?)\s+FROM\s+(\w+)(?:\s+WHERE\s+(.+?))?(?:\s+LIMIT\s+\d+)?\s*$/is.exec(query);
  if (parts === null) throw new Error(`cannot read the query: ${query}`);
  const [, select = '', resource = '', where] = parts;
  return {
    fields: select.split(',').map((field) => field.trim()),
    resource,
    conditions: where === undefined ? [] : splitConditions(where).map(parseCondition),
  };
}

/** `AND` also stands inside `BETWEEN`. */
const splitConditions = (where: string): string[] =>
  where.split(/\s+AND\s+(?=[\w.]+\s+(?:=|!=|IN|LIKE|BETWEEN|>|<))/i).map((condition) => condition.trim());

const unquote = (literal: string): string =>
  literal
    .trim()
    .replace(/^'(.*)'$/s, '$1')
    .replaceAll("\\'", "'");

function parseCondition(text: string): GaqlCondition {
  const [, field = '', operator = '', rest = ''] = /^([\w.]+)\s+(=|!=|IN|LIKE|BETWEEN)\s+(.+)$/is.exec(text) ?? [];
  switch (operator.toUpperCase()) {
    case '=':
      return { field, holds: (value) => value === unquote(rest) };
    case '!=':
      return { field, holds: (value) => value !== unquote(rest) };
    case 'IN': {
      const wanted = rest
        .replace(/^\(|\)$/g, '')
        .split(',')
        .map(unquote);
      return { field, holds: (value) => wanted.includes(value) };
    }
    case 'LIKE': {
      const literal = unquote(rest)
        .split('%')
        .map((part) =>
          part
            .replaceAll('[', '')
            .replaceAll(']', '')
            .replace(/[.*+?^${}()|\\]/g, '\\$&'),
        );
      const pattern = new RegExp(`^${literal.join('.*')}$`, 's');
      return { field, holds: (value) => pattern.test(value) };
    }
    case 'BETWEEN': {
      const [from = '', to = ''] = rest.split(/\s+AND\s+/i).map(unquote);
      return { field, holds: (value) => value >= from && value <= to };
    }
    default:
      throw new Error(`cannot read the condition: ${text}`);
  }
}

export const matches = ({ conditions }: GaqlQuery, row: GaqlRow): boolean =>
  conditions.every(({ field, holds }) => holds(textIn(row[field])));

const textIn = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? ''));

/** The selected fields, nested: `metrics.cost_micros` becomes `{ metrics: { costMicros } }`. int64 comes as a string. */
export function project({ fields }: GaqlQuery, row: GaqlRow): Record<string, unknown> {
  const result: Nested = {};
  for (const field of fields) {
    if (row[field] === undefined) continue;
    const path = field.split('.').map(camel);
    const last = path.pop() ?? '';
    let at = result;
    for (const step of path) {
      const next = nested.safeParse(at[step]);
      at = next.success ? next.data : (at[step] = {});
    }
    at[last] = row[field];
  }
  return result;
}

type Nested = Record<string, unknown>;
const nested = z.custom<Nested>((value) => typeof value === 'object' && value !== null);

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
