import { z } from 'zod';
import {
  DynamoError,
  getTable,
  isDynamoError,
  type Item,
  keyOf,
  runAction,
  type Store,
  type Table,
} from './dynalite-internals.ts';

const updateRequest = z.object({
  TableName: z.string(),
  TimeToLiveSpecification: z.object({ AttributeName: z.string().min(1), Enabled: z.boolean() }),
});
const describeRequest = z.object({ TableName: z.string() });
/** The table's id, because a table made anew under an old name has no time to live yet. */
const setting = z.object({ tableId: z.string(), attribute: z.string() });

/** Next to dynalite's own keys in the same LevelDB, so that it survives what the tables survive. */
const prefix = 'time-to-live~';

/** Time to live of tables: the setting, and a sweep that deletes what has expired. */
export function createTimeToLive(store: Store) {
  const read = async ({ TableName, TableId }: Table): Promise<string | undefined> => {
    const found = setting.safeParse(await store.db.get(prefix + TableName).catch(() => undefined));
    return found.success && found.data.tableId === TableId ? found.data.attribute : undefined;
  };

  const update = async (body: unknown): Promise<Record<string, unknown>> => {
    const parsed = updateRequest.safeParse(body);
    if (!parsed.success) throw invalid('TimeToLiveSpecification is invalid');
    const { TableName, TimeToLiveSpecification } = parsed.data;
    const table = await getTable(store, TableName);
    const { AttributeName, Enabled } = TimeToLiveSpecification;
    if (Enabled === ((await read(table)) !== undefined)) {
      throw invalid(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
    }
    if (Enabled) await store.db.put(prefix + TableName, { tableId: table.TableId, attribute: AttributeName });
    else await store.db.del(prefix + TableName);
    return { TimeToLiveSpecification };
  };

  const describe = async (body: unknown): Promise<Record<string, unknown>> => {
    const { TableName } = describeRequest.parse(body);
    const attribute = await read(await getTable(store, TableName));
    const description =
      attribute === undefined
        ? { TimeToLiveStatus: 'DISABLED' }
        : { TimeToLiveStatus: 'ENABLED', AttributeName: attribute };
    return { TimeToLiveDescription: description };
  };

  const sweep = async (nowSeconds: number): Promise<void> => {
    for await (const [key] of store.db.iterator({ gte: prefix, lt: `${prefix}\u{FFFF}` })) {
      try {
        const table = await getTable(store, key.slice(prefix.length));
        const attribute = await read(table);
        if (attribute !== undefined) await sweepTable(store, table, attribute, nowSeconds);
      } catch (error) {
        // A table that was deleted.
        ignoreDynamoError(error);
      }
    }
  };

  return { update, describe, sweep };
}

async function sweepTable(store: Store, table: Table, attribute: string, nowSeconds: number): Promise<void> {
  const expired = {
    TableName: table.TableName,
    ExpressionAttributeNames: { '#expiry': attribute },
    ExpressionAttributeValues: { ':now': { N: String(nowSeconds) } },
  };
  let from: unknown;
  do {
    const page = await runAction(store, 'scan', {
      ...expired,
      FilterExpression: '#expiry < :now',
      ...(from === undefined ? {} : { ExclusiveStartKey: from }),
    });
    // The shape of a scan's answer is dynalite's; its request was checked by dynalite too.
    for (const item of page['Items'] as Item[]) {
      await runAction(store, 'deleteItem', { TableName: table.TableName, Key: keyOf(item, table) });
    }
    from = page['LastEvaluatedKey'];
  } while (from !== undefined);
}

function ignoreDynamoError(error: unknown): void {
  if (!isDynamoError(error)) throw error;
}

const invalid = (message: string) => new DynamoError('ValidationException', { message });
