import type { Kysely } from 'kysely';
import type { Database } from '../database/tables.ts';

export interface AuditedChange {
  merchantId: string;
  /** `key:…`, `user:…`, `operator:…`, `rule:…` or `job:…`: ids, never names. */
  actor: string;
  /** `api_key.rotated` */
  action: string;
  subject: string;
  before?: Record<string, unknown>;
  after?: Record<string, unknown>;
  correlationId: string;
}

/** Records a change in the transaction that makes it. Ids and settings only: the record outlives the people in it. */
export const recordChange = (trx: Kysely<Database>, change: AuditedChange, nowMs: number): Promise<void> =>
  recordChanges(trx, [change], nowMs);

export async function recordChanges(
  trx: Kysely<Database>,
  changes: readonly AuditedChange[],
  nowMs: number,
): Promise<void> {
  if (changes.length === 0) return;
  const rows = changes.map((change) => ({
    at: new Date(nowMs),
    merchant_id: change.merchantId,
    actor: change.actor,
    action: change.action,
    subject: change.subject,
    before: change.before === undefined ? null : JSON.stringify(change.before),
    after: change.after === undefined ? null : JSON.stringify(change.after),
    correlation_id: change.correlationId,
  }));
  await trx.insertInto('audit_log').values(rows).execute();
}
