import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  TransactGetItemsCommand,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createDynamoTable } from '../../../core/testing/dynamo-table.ts';
import { waitFor } from '../../../core/testing/wait-for.ts';
import { startDynamo } from './start.ts';

const dir = mkdtempSync(join(tmpdir(), 'laneway-dynamo-'));
const start = (port?: number) =>
  startDynamo({
    dir: join(dir, 'data'),
    logFile: join(dir, 'log'),
    sweepEveryMs: 50,
    ...(port === undefined ? {} : { port }),
  });
let server = await start();
const client = new DynamoDBClient({
  endpoint: server.endpoint,
  region: 'eu-central-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  maxAttempts: 1,
});
test.after(async () => {
  client.destroy();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

let made = 0;

/** A table of one's own. */
async function setup() {
  const TableName = `table-${++made}`;
  const createTable = async () => {
    await createDynamoTable(client, TableName);
    return TableName;
  };
  await createTable();
  return {
    client,
    TableName,
    createTable,
    put: (pk: string, n: number, more: Partial<PutItemCommandInput> = {}) =>
      client.send(new PutItemCommand({ TableName, Item: { pk: { S: pk }, n: { N: String(n) } }, ...more })),
    n: async (pk: string) => {
      const { Item } = await client.send(
        new GetItemCommand({ TableName, Key: { pk: { S: pk } }, ConsistentRead: true }),
      );
      return Item?.['n']?.N;
    },
    transact: (items: TransactWriteItem[], ClientRequestToken?: string) =>
      client.send(new TransactWriteItemsCommand({ TransactItems: items, ClientRequestToken })),
  };
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : String(error));
const absent = 'attribute_not_exists(pk)';
const key = (pk: string): Record<string, AttributeValue> => ({ pk: { S: pk } });

test('of a hundred conditional puts at once one wins, and every loser gets the item of the winner', async () => {
  const world = await setup();
  const writers = Array.from({ length: 100 }, (_, i) =>
    world.put('k', i, { ConditionExpression: absent, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }).then(
      () => i,
      (error: unknown) => error,
    ),
  );
  const results = await Promise.all(writers);
  const winners = results.filter((result) => typeof result === 'number');
  assert.is(winners.length, 1);
  for (const result of results) {
    if (typeof result === 'number') continue;
    assert.instance(result, ConditionalCheckFailedException);
    assert.is(result instanceof ConditionalCheckFailedException && result.Item?.['n']?.N, String(winners[0]));
  }
});

test('a failed conditional update returns the item too, and nothing where nothing was asked', async () => {
  const world = await setup();
  await world.put('k', 7);
  const update = (more: object) =>
    world.client.send(
      new UpdateItemCommand({
        TableName: world.TableName,
        Key: key('k'),
        UpdateExpression: 'SET n = :one',
        ConditionExpression: 'n = :one',
        ExpressionAttributeValues: { ':one': { N: '1' } },
        ...more,
      }),
    );
  const itemOf = (attempt: Promise<unknown>) =>
    attempt.catch((error: unknown) => error instanceof ConditionalCheckFailedException && error.Item);
  assert.equal(await itemOf(update({ ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })), {
    pk: { S: 'k' },
    n: { N: '7' },
  });
  assert.is(await itemOf(update({})), undefined);
});

test('a batch writes up to 25 items and reads up to 100', async () => {
  const world = await setup();
  const write = (from: number, count: number) => {
    const puts = Array.from({ length: count }, (_, i) => ({ PutRequest: { Item: key(`k${from + i}`) } }));
    return world.client.send(new BatchWriteItemCommand({ RequestItems: { [world.TableName]: puts } }));
  };
  const read = (count: number) => {
    const Keys = Array.from({ length: count }, (_, i) => key(`k${i}`));
    return world.client.send(new BatchGetItemCommand({ RequestItems: { [world.TableName]: { Keys } } }));
  };
  for (let from = 0; from < 100; from += 25) await write(from, 25);
  assert.is((await read(100)).Responses?.[world.TableName]?.length, 100);
  for (const tooMany of [write(200, 26), read(101)]) {
    assert.is(await tooMany.catch(nameOf), 'ValidationException');
  }
});

test('a transaction takes effect as a whole', async () => {
  const world = await setup();
  await world.put('counter', 1);
  await world.put('checked', 5);
  await world.transact([
    { Put: { TableName: world.TableName, Item: { ...key('new'), n: { N: '1' } }, ConditionExpression: absent } },
    addTo(world.TableName, 'counter', 2),
    {
      ConditionCheck: { TableName: world.TableName, Key: key('checked'), ConditionExpression: 'attribute_exists(pk)' },
    },
  ]);
  assert.equal([await world.n('new'), await world.n('counter'), await world.n('checked')], ['1', '3', '5']);
});

test('a transaction whose condition fails changes nothing and says which one it was', async () => {
  const world = await setup();
  await world.put('taken', 7);
  const attempt = world.transact([
    { Put: { TableName: world.TableName, Item: key('other') } },
    addTo(world.TableName, 'counter', 1),
    {
      Put: {
        TableName: world.TableName,
        Item: key('taken'),
        ConditionExpression: absent,
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      },
    },
  ]);
  const error = await attempt.catch((thrown: unknown) => thrown);
  assert.instance(error, TransactionCanceledException);
  const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
  assert.equal(
    reasons.map(({ Code }) => Code),
    ['None', 'None', 'ConditionalCheckFailed'],
  );
  assert.is(reasons[2]?.Item?.['n']?.N, '7');
  assert.equal([await world.n('other'), await world.n('counter'), await world.n('taken')], [undefined, undefined, '7']);
});

test('transactions at once neither lose an update nor mix with plain writes', async () => {
  const world = await setup();
  const { TableName } = world;
  await Promise.all([
    ...Array.from({ length: 30 }, (_, i) =>
      world
        .transact([
          { Put: { TableName, Item: key(`lock${i % 15}`), ConditionExpression: absent } },
          addTo(TableName, 'a', -1),
          addTo(TableName, 'b', 1),
        ])
        .catch((error: unknown) => assert.is(nameOf(error), 'TransactionCanceledException')),
    ),
    ...Array.from({ length: 30 }, () => world.client.send(new UpdateItemCommand(addTo(TableName, 'a', 100).Update))),
  ]);
  assert.equal([await world.n('a'), await world.n('b')], ['2985', '15']);
});

test('a transaction repeated with its token takes effect once', async () => {
  const world = await setup();
  for (let i = 0; i < 2; i++) await world.transact([addTo(world.TableName, 'k', 1)], 'token-1');
  assert.is(await world.n('k'), '1');
  const other = world.transact([addTo(world.TableName, 'k', 5)], 'token-1');
  assert.is(await other.catch(nameOf), 'IdempotentParameterMismatchException');
});

test('a transaction may not touch an item twice', async () => {
  const world = await setup();
  const twice = world.transact([addTo(world.TableName, 'k', 1), addTo(world.TableName, 'k', 1)]);
  assert.is(await twice.catch(nameOf), 'ValidationException');
});

test('a transaction reads its items together', async () => {
  const world = await setup();
  await world.put('a', 1);
  const TransactItems = ['a', 'missing'].map((pk) => ({ Get: { TableName: world.TableName, Key: key(pk) } }));
  const { Responses } = await world.client.send(new TransactGetItemsCommand({ TransactItems }));
  assert.equal(
    Responses?.map(({ Item }) => Item?.['n']?.N),
    ['1', undefined],
  );
});

test('expired items of a table with time to live are deleted, those of other tables stay', async () => {
  const world = await setup();
  const expiresAt = (pk: string, seconds: number) => world.put(pk, Math.floor(Date.now() / 1_000) + seconds);
  await expiresAt('old', -10);
  await expiresAt('young', 1_000);
  const { TableName } = world;
  const TimeToLiveSpecification = { AttributeName: 'n', Enabled: true };
  await world.client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  await waitFor('the sweep', async () => (await world.n('old')) === undefined);
  assert.type(await world.n('young'), 'string');

  await world.client.send(new DeleteTableCommand({ TableName }));
  await waitFor('a new table of that name', () => world.createTable());
  const { TimeToLiveDescription } = await world.client.send(new DescribeTimeToLiveCommand({ TableName }));
  assert.is(TimeToLiveDescription?.TimeToLiveStatus, 'DISABLED');
});

test('items, transactions and the time to live survive kill -9', async () => {
  const world = await setup();
  const { TableName } = world;
  const TimeToLiveSpecification = { AttributeName: 'expiry', Enabled: true };
  await world.client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
  for (let i = 0; i < 50; i++) await world.put(`k${i}`, i);
  await world.transact([addTo(TableName, 'a', 1), addTo(TableName, 'b', 1)]);
  process.kill(server.pid, 'SIGKILL');
  await server.stop();
  server = await start(server.port);
  for (let i = 0; i < 50; i++) assert.is(await world.n(`k${i}`), String(i));
  assert.equal([await world.n('a'), await world.n('b')], ['1', '1']);
  const { TimeToLiveDescription } = await world.client.send(new DescribeTimeToLiveCommand({ TableName }));
  assert.is(TimeToLiveDescription?.AttributeName, 'expiry');
});

function addTo(TableName: string, pk: string, amount: number) {
  return {
    Update: {
      TableName,
      Key: key(pk),
      UpdateExpression: 'ADD n :amount',
      ExpressionAttributeValues: { ':amount': { N: String(amount) } },
    },
  };
}

test.run();
