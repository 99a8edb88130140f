import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  type ActionName,
  type BatchOperation,
  DynamoError,
  getTable,
  isDynamoError,
  type Item,
  keyString,
  type KeyValues,
  runAction,
  type Store,
} from './dynalite-internals.ts';

const item = z.record(z.string(), z.record(z.string(), z.unknown()));
const operation = z.looseObject({ TableName: z.string(), Item: item.optional(), Key: item.optional() });
type Operation = z.infer<typeof operation>;

const writeRequest = z.object({
  ClientRequestToken: z.string().optional(),
  TransactItems: z.array(
    z.object({
      Put: operation.optional(),
      Update: operation.optional(),
      Delete: operation.optional(),
      ConditionCheck: operation.optional(),
    }),
  ),
});
const getRequest = z.object({ TransactItems: z.array(z.object({ Get: operation })) });

const actions = { Put: 'putItem', Update: 'updateItem', Delete: 'deleteItem', ConditionCheck: 'deleteItem' } as const;
const tokenLifeMs = 10 * 60_000;

/** To be called while no other request is inside the store. */
export function createTransactions(store: Store) {
  const tokens = new Map<string, { digest: string; at: number }>();

  /**
   * Every operation runs against a store that only notes what it would write, and what they noted is written as one
   * batch, which LevelDB applies whole or not at all, also across a kill -9. There is nothing to roll back.
   */
  const write = async (body: unknown): Promise<Record<string, unknown>> => {
    const { ClientRequestToken: token, TransactItems } = decode(writeRequest, body);
    if (TransactItems.length === 0 || TransactItems.length > 100) {
      throw invalid('TransactItems must have between 1 and 100 members');
    }
    const digest = createHash('sha256').update(JSON.stringify(TransactItems)).digest('hex');
    if (token !== undefined && isRepeated(token, digest)) return {};

    const operations = TransactItems.map(only);
    await refuseRepeatedItems(operations.map(([, request]) => request));
    const noted: BatchOperation[] = [];
    const reasons: Record<string, unknown>[] = [];
    for (const [kind, request] of operations) {
      const sink = kind === 'ConditionCheck' ? [] : noted;
      reasons.push(await attempt(noting(store, sink), actions[kind], request));
    }
    if (reasons.some(({ Code }) => Code !== 'None')) {
      const codes = reasons.map(({ Code }) => Code).join(', ');
      throw new DynamoError('TransactionCanceledException', {
        Message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
        CancellationReasons: reasons,
      });
    }
    await store.db.batch(noted);
    if (token !== undefined) tokens.set(token, { digest, at: Date.now() });
    return {};
  };

  const get = async (body: unknown): Promise<Record<string, unknown>> => {
    const { TransactItems } = decode(getRequest, body);
    const Responses = [];
    for (const { Get } of TransactItems) {
      const { Item: found } = await runAction(store, 'getItem', { ...Get, ConsistentRead: true });
      Responses.push(found === undefined ? {} : { Item: found });
    }
    return { Responses };
  };

  const isRepeated = (token: string, digest: string): boolean => {
    for (const [known, { at }] of tokens) if (at < Date.now() - tokenLifeMs) tokens.delete(known);
    const known = tokens.get(token);
    if (known === undefined) return false;
    if (known.digest === digest) return true;
    throw new DynamoError('IdempotentParameterMismatchException', {
      Message: 'The token was used for another request',
    });
  };

  const refuseRepeatedItems = async (requests: readonly Operation[]) => {
    const seen = new Set<string>();
    for (const request of requests) {
      const table = await getTable(store, request.TableName);
      const attributes: Item = request.Key ?? request.Item ?? {};
      if (table.KeySchema.some(({ AttributeName }) => attributes[AttributeName] === undefined)) continue;
      const place = `${request.TableName}\0${keyString(attributes, table)}`;
      if (seen.has(place)) throw invalid('Transaction request cannot include multiple operations on one item');
      seen.add(place);
    }
  };

  return { write, get };
}

async function attempt(store: Store, name: ActionName, request: Operation): Promise<Record<string, unknown>> {
  try {
    await runAction(store, name, request);
    return { Code: 'None' };
  } catch (error) {
    if (!isDynamoError(error) || !String(error.body['__type']).endsWith('#ConditionalCheckFailedException'))
      throw error;
    const { Item: inTheWay } = error.body;
    const reason = { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' };
    return inTheWay === undefined ? reason : { ...reason, Item: inTheWay };
  }
}

/** Reads through, and notes writes under the keys that dynalite gives them in its one LevelDB. */
function noting(store: Store, noted: BatchOperation[]): Store {
  const note = (prefix: string, real: KeyValues): KeyValues => ({
    get: (key, callback) => real.get(key, callback),
    put: (key, value, callback) => {
      noted.push({ type: 'put', key: prefix + key, value });
      callback(null);
    },
    del: (key, callback) => {
      noted.push({ type: 'del', key: prefix + key });
      callback(null);
    },
    // Nobody else is inside.
    lock: (_key, critical) => critical((callback) => callback),
  });
  return {
    ...store,
    getItemDb: (table) => note(`item-${table}~`, store.getItemDb(table)),
    getIndexDb: (type, table, index) =>
      note(`index-${type.toLowerCase()}~${table}~${index}~`, store.getIndexDb(type, table, index)),
  };
}

function only(member: z.infer<typeof writeRequest>['TransactItems'][number]): [keyof typeof actions, Operation] {
  for (const kind of ['Put', 'Update', 'Delete', 'ConditionCheck'] as const) {
    const request = member[kind];
    if (request !== undefined) return [kind, request];
  }
  throw invalid('TransactItems can only contain one of Check, Put, Update or Delete');
}

function decode<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw invalid(z.prettifyError(parsed.error));
}

const invalid = (message: string) => new DynamoError('ValidationException', { message });
