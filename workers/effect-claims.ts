import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import type { EffectResult } from '../core/events/destination.ts';
import type { Clock } from '../core/runtime/clock.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { type Log, onceWhileFailing } from '../core/runtime/log.ts';

/**
 * A claim says that a call is being made, or was made and with what result. It outlives what Postgres may forget after a
 * failover or a restore, and is the second lock on a call, after the fence.
 *
 *   (none) ──claim──► IN_PROGRESS ──complete──► COMPLETED
 *                        │  └──release (the call was certainly not made)──► (none)
 *                        └──lease passed──► claimed by another, who must look before it sends
 */
export type Claim =
  /** Ours, and nobody was here before. */
  | { kind: 'fresh' }
  /** Ours, but whoever had it may have made the call. */
  | { kind: 'taken-over' }
  | { kind: 'completed'; result: EffectResult }
  /** Another one's until then. */
  | { kind: 'busy'; untilMs: number };

export interface EffectClaims {
  /** Throws `service.unavailable` while DynamoDB is away: a send without a claim may be the second. */
  claim(key: string, owner: string, leaseMs: number): Promise<Claim>;
  /** Best effort: without it, the next owner probes instead of adopting the result. */
  complete(key: string, owner: string, result: EffectResult): Promise<void>;
  /** Best effort: without it, the next try waits until the lease has passed. */
  release(key: string, owner: string): Promise<void>;
}

/** DynamoDB's TTL on this attribute only clears away what the conditions below ignore already. */
const EXPIRES = 'expiresAtSeconds';
const KEPT_SECONDS = 90 * 86_400;
const CALL_TIMEOUT_MS = 5_000;

const storedClaim = z.object({
  status: z.object({ S: z.enum(['IN_PROGRESS', 'COMPLETED']) }),
  owner: z.object({ S: z.string() }),
  leaseUntilMs: z.object({ N: z.coerce.number() }),
  result: z.object({ S: z.string() }).optional(),
});
const storedResult = z.object({ externalId: z.string(), actual: z.record(z.string(), z.unknown()) });

export function createEffectClaims(options: {
  dynamodb: DynamoDBClient;
  tableName: string;
  clock: Clock;
  log: Log;
}): EffectClaims {
  const { dynamodb, tableName: TableName, clock } = options;
  const trouble = onceWhileFailing(options.log, 'effect claims in DynamoDB');
  const abort = () => ({ abortSignal: AbortSignal.timeout(CALL_TIMEOUT_MS) });

  /** True when the claim is ours now; else somebody holds it. The old item is returned when it was overwritten. */
  const put = async (
    key: string,
    owner: string,
    leaseMs: number,
  ): Promise<{ won: boolean; previousOwner?: string }> => {
    const now = clock.now();
    try {
      const { Attributes: previous } = await dynamodb.send(
        new PutItemCommand({
          TableName,
          Item: {
            pk: { S: key },
            status: { S: 'IN_PROGRESS' },
            owner: { S: owner },
            leaseUntilMs: { N: String(now + leaseMs) },
            [EXPIRES]: { N: String(Math.floor(now / 1_000) + KEPT_SECONDS) },
          },
          // Expiry is compared here: DynamoDB deletes what has expired only within days.
          ConditionExpression:
            'attribute_not_exists(pk) or #expires < :seconds or (#status = :progress and (leaseUntilMs < :now or #owner = :owner))',
          ExpressionAttributeNames: { '#status': 'status', '#owner': 'owner', '#expires': EXPIRES },
          ExpressionAttributeValues: {
            ':progress': { S: 'IN_PROGRESS' },
            ':owner': { S: owner },
            ':now': { N: String(now) },
            ':seconds': { N: String(Math.floor(now / 1_000)) },
          },
          ReturnValues: 'ALL_OLD',
        }),
        abort(),
      );
      const previousOwner = previous?.['owner']?.S;
      return previousOwner === undefined ? { won: true } : { won: true, previousOwner };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return { won: false };
      throw error;
    }
  };

  const read = async (key: string): Promise<Claim | undefined> => {
    const { Item } = await dynamodb.send(
      new GetItemCommand({ TableName, Key: { pk: { S: key } }, ConsistentRead: true }),
      abort(),
    );
    if (Item === undefined) return undefined;
    const stored = storedClaim.parse(Item);
    if (stored.status.S === 'IN_PROGRESS') return { kind: 'busy', untilMs: stored.leaseUntilMs.N };
    return { kind: 'completed', result: storedResult.parse(JSON.parse(stored.result?.S ?? 'null')) };
  };

  const bestEffort = async (what: string, call: () => Promise<unknown>) => {
    try {
      await call();
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException))
        options.log.debug(`${what} a claim failed`, { error: String(error) });
    }
  };

  return {
    async claim(key, owner, leaseMs) {
      try {
        for (;;) {
          const { won, previousOwner } = await put(key, owner, leaseMs);
          if (won) {
            trouble.ok();
            return { kind: previousOwner === undefined || previousOwner === owner ? 'fresh' : 'taken-over' };
          }
          // Undefined when it was released between the two calls: then it is there to be taken.
          const held = await read(key);
          if (held !== undefined) return held;
        }
      } catch (error) {
        trouble.failing(error);
        throw new LanewayError('service.unavailable', 'DynamoDB is away', { retry: 'backoff', cause: error });
      }
    },
    complete: (key, owner, result) =>
      bestEffort('completing', () =>
        dynamodb.send(
          new UpdateItemCommand({
            TableName,
            Key: { pk: { S: key } },
            UpdateExpression: 'set #status = :completed, #result = :result',
            ConditionExpression: '#owner = :owner',
            ExpressionAttributeNames: { '#status': 'status', '#owner': 'owner', '#result': 'result' },
            ExpressionAttributeValues: {
              ':completed': { S: 'COMPLETED' },
              ':owner': { S: owner },
              ':result': { S: JSON.stringify(result) },
            },
          }),
          abort(),
        ),
      ),
    release: (key, owner) =>
      bestEffort('releasing', () =>
        dynamodb.send(
          new DeleteItemCommand({
            TableName,
            Key: { pk: { S: key } },
            ConditionExpression: '#owner = :owner and #status = :progress',
            ExpressionAttributeNames: { '#status': 'status', '#owner': 'owner' },
            ExpressionAttributeValues: { ':owner': { S: owner }, ':progress': { S: 'IN_PROGRESS' } },
          }),
          abort(),
        ),
      ),
  };
}
