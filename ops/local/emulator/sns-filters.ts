import { type MessageAttribute, SnsError, validateFilterPolicyLimits } from './fauxqs-internals.ts';

/**
 * Filter policies of SNS subscriptions. A policy is a tree whose leaves are lists of conditions: all keys must match,
 * one condition of a key is enough. `$or`, at any level, holds alternatives.
 */
type Policy = Readonly<Record<string, unknown>>;

/** Throws `InvalidParameter` for what AWS refuses to subscribe with. */
export function parseFilterPolicy(text: string): Policy {
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    throw invalidPolicy('failed to parse JSON');
  }
  if (!isObject(policy)) throw invalidPolicy('must be a JSON object');
  refuseFaultyNode(policy);
  validateFilterPolicyLimits(text);
  return policy;
}

export function matchesAttributes(policy: Policy, attributes: Readonly<Record<string, MessageAttribute>>): boolean {
  return matchesNode(policy, (key) => {
    const attribute = attributes[key];
    return attribute === undefined ? [] : attributeValues(attribute);
  });
}

/** A body that is no JSON object matches no policy. */
export function matchesBody(policy: Policy, body: string): boolean {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) && matchesBodyNode(policy, value);
  } catch {
    return false;
  }
}

function matchesBodyNode(policy: Policy, node: Policy | undefined): boolean {
  return matchesNode(
    policy,
    (key) => {
      const value = node?.[key];
      return value === undefined ? [] : flatten(value);
    },
    // All conditions below a key of an array of objects must hold for one and the same element.
    (key, nested) => {
      const children = flatten(node?.[key] ?? []).filter(isObject);
      return children.length === 0
        ? matchesBodyNode(nested, undefined)
        : children.some((child) => matchesBodyNode(nested, child));
    },
  );
}

function matchesNode(
  policy: Policy,
  valuesOf: (key: string) => readonly unknown[],
  matchesNested: (key: string, nested: Policy) => boolean = () => false,
): boolean {
  return Object.entries(policy).every(([key, rule]) => {
    if (key === '$or' && Array.isArray(rule)) {
      return rule.some((alternative) => isObject(alternative) && matchesNode(alternative, valuesOf, matchesNested));
    }
    if (Array.isArray(rule)) {
      const values = valuesOf(key);
      return rule.some((condition) => matchesCondition(condition, values));
    }
    return isObject(rule) && matchesNested(key, rule);
  });
}

/** No values means that the key is absent, which only `exists: false` matches. */
function matchesCondition(condition: unknown, values: readonly unknown[]): boolean {
  if (!isObject(condition)) return values.includes(condition);
  const [operator, operand] = Object.entries(condition)[0] ?? [];
  if (operator === 'exists') return operand === values.length > 0;
  if (operator === 'anything-but') return values.some((value) => !excludes(operand, value));
  return values.some((value) => matchesOperator(operator, operand, value));
}

function excludes(operand: unknown, value: unknown): boolean {
  if (Array.isArray(operand)) return operand.includes(value);
  if (!isObject(operand)) return operand === value;
  const [operator, nested] = Object.entries(operand)[0] ?? [];
  const patterns: unknown[] = Array.isArray(nested) ? nested : [nested];
  return patterns.some((pattern) => matchesOperator(operator, pattern, value));
}

function matchesOperator(operator: string | undefined, operand: unknown, value: unknown): boolean {
  if (operator === 'numeric') return typeof value === 'number' && Array.isArray(operand) && inRange(operand, value);
  if (typeof value !== 'string' || typeof operand !== 'string') return false;
  switch (operator) {
    case 'prefix':
      return value.startsWith(operand);
    case 'suffix':
      return value.endsWith(operand);
    case 'equals-ignore-case':
      return value.toLowerCase() === operand.toLowerCase();
    case 'wildcard':
      return new RegExp(`^${operand.split('*').map(literally).join('.*')}$`, 's').test(value);
    default:
      return false;
  }
}

const literally = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);

/** ["=", 5] or [">", 1, "<=", 3]. */
function inRange(rule: readonly unknown[], value: number): boolean {
  for (let i = 0; i < rule.length; i += 2) {
    const bound = rule[i + 1];
    if (typeof bound !== 'number' || !compares(rule[i], value, bound)) return false;
  }
  return true;
}

function compares(operator: unknown, value: number, bound: number): boolean {
  switch (operator) {
    case '=':
      return value === bound;
    case '>':
      return value > bound;
    case '>=':
      return value >= bound;
    case '<':
      return value < bound;
    case '<=':
      return value <= bound;
    default:
      return false;
  }
}

/** A number typed as a string is a string: `numeric` does not match it. Binary attributes take no part in filtering. */
function attributeValues({ DataType, StringValue = '' }: MessageAttribute): readonly unknown[] {
  if (DataType === 'String.Array') {
    try {
      return flatten(JSON.parse(StringValue));
    } catch {
      return [];
    }
  }
  if (DataType.startsWith('Number')) return [Number(StringValue)];
  return DataType.startsWith('String') ? [StringValue] : [];
}

function flatten(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.flat(Infinity) : [value];
}

const operators = new Set(['exists', 'anything-but', 'numeric', 'prefix', 'suffix', 'equals-ignore-case', 'wildcard']);

function refuseFaultyNode(node: Policy): void {
  for (const [key, rule] of Object.entries(node)) {
    if (isObject(rule)) {
      refuseFaultyNode(rule);
      continue;
    }
    if (!Array.isArray(rule)) throw invalidPolicy(`"${key}" must be an object or an array`);
    if (rule.length === 0) throw invalidPolicy(`Empty arrays are not allowed: "${key}"`);
    for (const condition of rule) {
      if (!isObject(condition)) continue;
      if (key === '$or') {
        refuseFaultyNode(condition);
        continue;
      }
      const unknown = Object.keys(condition).find((operator) => !operators.has(operator));
      if (unknown !== undefined) throw invalidPolicy(`Unrecognized match type ${unknown}`);
    }
  }
}

function isObject(value: unknown): value is Policy {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const invalidPolicy = (reason: string) =>
  new SnsError('InvalidParameter', `Invalid parameter: FilterPolicy: ${reason}`);
