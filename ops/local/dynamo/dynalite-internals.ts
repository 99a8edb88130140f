import { createRequire } from 'node:module';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';

/**
 * The parts of dynalite 4.0.0 that are used here. It is CommonJS without declarations, which is what the casts below
 * are for. Its modules call each other through their exports, so that a replaced export is seen everywhere.
 */
export type AttributeValue = Record<string, unknown>;
export type Item = Record<string, AttributeValue>;

export interface Table {
  readonly TableName: string;
  readonly TableId: string;
  readonly KeySchema: readonly { readonly AttributeName: string }[];
}

/** A request after its types were checked and its expressions parsed. */
export interface CheckedRequest {
  readonly TableName: string;
  readonly Item?: Item;
  readonly Key?: Item;
  readonly ReturnValuesOnConditionCheckFailure?: string;
}

export class DynamoError extends Error {
  readonly statusCode: number;
  readonly body: { readonly __type: string } & Record<string, unknown>;
  constructor(name: string, body: Record<string, unknown>, statusCode = 400) {
    super(name);
    this.statusCode = statusCode;
    const namespace = name === 'ValidationException' ? 'com.amazon.coral.validate' : 'com.amazonaws.dynamodb.v20120810';
    this.body = { __type: `${namespace}#${name}`, ...body };
  }
}

type Callback<T> = (error: unknown, value?: T) => void;

export interface KeyValues {
  get(key: string, callback: Callback<unknown>): void;
  put(key: string, value: unknown, callback: Callback<never>): void;
  del(key: string, callback: Callback<never>): void;
  lock(key: string, critical: (release: <F>(callback: F) => F) => void): void;
}

export interface Store {
  readonly options: Record<string, unknown>;
  readonly db: {
    get(key: string): Promise<unknown>;
    put(key: string, value: unknown): Promise<void>;
    del(key: string): Promise<void>;
    batch(operations: readonly BatchOperation[]): Promise<void>;
    iterator(range: { gte: string; lt: string }): AsyncIterable<[string, unknown]>;
  };
  getTable(name: string, callback: Callback<Table>): void;
  getItemDb(table: string): KeyValues;
  getIndexDb(type: string, table: string, index: string): KeyValues;
}

export type BatchOperation = { type: 'put'; key: string; value: unknown } | { type: 'del'; key: string };

type Action = (store: Store, request: CheckedRequest, callback: Callback<Record<string, unknown>>) => void;

interface ActionTypes {
  readonly types: Record<string, unknown>;
  readonly custom?: unknown;
}

const require = createRequire(import.meta.url);

const database = require('dynalite/db') as {
  create: (options: object) => Store;
  createKey(attributes: Item, table: Table): string;
  checkConditional: (
    request: CheckedRequest,
    existing: Item | undefined,
  ) => { body: Record<string, unknown> } | null | undefined;
};
const validations = require('dynalite/validations') as {
  checkTypes(raw: object, types: object): CheckedRequest;
  checkValidations(request: CheckedRequest, types: object, custom: unknown, store: Store): void;
};
const dynalite = require('dynalite') as (options: object) => Server;

export type ActionName = 'getItem' | 'putItem' | 'updateItem' | 'deleteItem' | 'scan';
const actionOf = (name: ActionName) => require(`dynalite/actions/${name}`) as Action;
const typesOf = (name: ActionName) => require(`dynalite/validations/${name}`) as ActionTypes;

/** `ReturnValuesOnConditionCheckFailure`: the loser of a conditional write gets the item that was in its way. */
function returnItemsOnConditionCheckFailure(): void {
  for (const name of ['putItem', 'updateItem', 'deleteItem'] as const) {
    typesOf(name).types['ReturnValuesOnConditionCheckFailure'] = { type: 'String', enum: ['ALL_OLD', 'NONE'] };
  }
  const check = database.checkConditional;
  database.checkConditional = (request, existing) => {
    const failure = check(request, existing);
    if (failure && existing && request.ReturnValuesOnConditionCheckFailure === 'ALL_OLD') {
      failure.body = { ...failure.body, Item: existing };
    }
    return failure;
  };
}
returnItemsOnConditionCheckFailure();

/** A server that is not listening yet, its store, and its request handler for calls that we do not answer ourselves. */
export function createDynalite(dir: string | undefined): { server: Server; store: Store; handle: RequestListener } {
  let store: Store | undefined;
  const create = database.create;
  database.create = (options) => (store = create(options));
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0, ...(dir && { path: dir }) });
  database.create = create;
  const [handle] = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  if (store === undefined || handle === undefined) throw new Error('dynalite did not build a server');
  server.removeAllListeners('request');
  return { server, store, handle };
}

/** Runs one action as if it had come in a request of its own. Throws what would have been the error answer. */
export async function runAction(store: Store, name: ActionName, raw: object): Promise<Record<string, unknown>> {
  // Checking deletes unknown fields and parses expressions in place.
  const request = validations.checkTypes(structuredClone(raw), typesOf(name).types);
  validations.checkValidations(request, typesOf(name).types, typesOf(name).custom, store);
  return new Promise((resolve, reject) => {
    actionOf(name)(store, request, (error, value = {}) => (error ? reject(asError(error)) : resolve(value)));
  });
}

export function getTable(store: Store, name: string): Promise<Table> {
  return new Promise((resolve, reject) => {
    store.getTable(name, (error, table) => (table === undefined ? reject(asError(error)) : resolve(table)));
  });
}

export function keyString(attributes: Item, table: Table): string {
  return database.createKey(attributes, table);
}

/** The part of an item that is its key. */
export function keyOf(item: Item, table: Table): Item {
  const key: Item = {};
  for (const { AttributeName } of table.KeySchema) {
    const value = item[AttributeName];
    if (value !== undefined) key[AttributeName] = value;
  }
  return key;
}

/** dynalite's own are; `isDynamoError` tells them by what they carry. */
const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

export function isDynamoError(error: unknown): error is { statusCode: number; body: Record<string, unknown> } {
  return typeof error === 'object' && error !== null && 'statusCode' in error && 'body' in error;
}
