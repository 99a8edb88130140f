/** What a run of the program declared, as checks and `npm run infra:graph` read it. */
export interface Resource {
  urn: string;
  type: string;
  name: string;
  /** A component has no inputs of its own. */
  custom: boolean;
  parent: string | undefined;
  protect: boolean;
  /** URNs. */
  dependsOn: readonly string[];
  inputs: Readonly<Record<string, unknown>>;
}

export type Graph = readonly Resource[];

export const ofType = (graph: Graph, type: string): Resource[] => graph.filter((resource) => resource.type === type);

/** Pulumi's mark of a secret on its way to the engine. */
const SECRET = '4dabf18193072939515e22adb298388d';

export const isSecret = (value: unknown): value is { value: unknown } =>
  typeof value === 'object' && value !== null && SECRET in value;

/** A value of an input as text: what is no text or figure, as JSON. */
export const shown = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : (JSON.stringify(value) ?? 'undefined');

/** Text of an input; a secret one's too. Throws when it is something else, naming the resource. */
export function text(resource: Resource, key: string): string {
  const value = resource.inputs[key];
  const plain = isSecret(value) ? value.value : value;
  if (typeof plain !== 'string') throw new Error(`${resource.name}: ${key} is ${JSON.stringify(value)}, not text`);
  return plain;
}

/** A JSON document inside an input: a policy, container definitions, a dashboard. */
export const document = (resource: Resource, key: string): unknown => JSON.parse(text(resource, key));

export interface Statement {
  sid: string;
  effect: string;
  principals: readonly string[];
  actions: readonly string[];
  resources: readonly string[];
  condition: unknown;
}

const list = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(shown) : value === undefined ? [] : [shown(value)];
const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

/** The statements of a policy document, each list a list. */
export function statementsOf(resource: Resource, key = 'policy'): Statement[] {
  const statements = record(document(resource, key))['Statement'];
  return (Array.isArray(statements) ? statements : []).map(record).map((statement) => ({
    sid: shown(statement['Sid'] ?? ''),
    effect: shown(statement['Effect']),
    principals:
      typeof statement['Principal'] === 'string'
        ? [statement['Principal']]
        : Object.values(record(statement['Principal'])).flatMap(list),
    actions: list(statement['Action']),
    resources: list(statement['Resource']),
    condition: statement['Condition'],
  }));
}

export interface Container {
  name: string;
  image: string;
  user: string | undefined;
  readonlyRootFilesystem: boolean | undefined;
  stopTimeout: number | undefined;
  environment: Readonly<Record<string, string>>;
  secrets: Readonly<Record<string, string>>;
  raw: Readonly<Record<string, unknown>>;
}

const pairs = (value: unknown, key: string): Record<string, string> =>
  Object.fromEntries(
    (Array.isArray(value) ? value : []).map(record).map((entry) => [shown(entry['name']), shown(entry[key])]),
  );

export function containersOf(task: Resource): Container[] {
  const containers = document(task, 'containerDefinitions');
  return (Array.isArray(containers) ? containers : []).map(record).map((raw) => ({
    name: shown(raw['name']),
    image: shown(raw['image']),
    user: raw['user'] === undefined ? undefined : shown(raw['user']),
    readonlyRootFilesystem: raw['readonlyRootFilesystem'] === true,
    stopTimeout: typeof raw['stopTimeout'] === 'number' ? raw['stopTimeout'] : undefined,
    environment: pairs(raw['environment'], 'value'),
    secrets: pairs(raw['secrets'], 'valueFrom'),
    raw,
  }));
}
