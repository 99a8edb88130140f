import { type Kysely, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { Log } from '../../runtime/log.ts';

interface Row {
  id: number;
  at: Date;
  merchantId: string;
  actor: string;
  action: string;
  subject: string;
  before: unknown;
  after: unknown;
  correlationId: string;
}

/**
 * Writes what is new in the audit log to the log stream, a line for each change, at least once: `auditId` tells a repeated
 * line. Several workers may do so at a time. Resolves with how many lines there were.
 */
export async function exportAuditLog(db: Kysely<Database>, log: Log, limit = 500): Promise<number> {
  return await db.transaction().execute(async (trx) => {
    const { rows } = await sql<Row>`
      with taken as (
        delete from audit_unexported where id in (
          select id from audit_unexported order by id limit ${limit} for update skip locked
        ) returning id, at
      )
      select l.id, l.at, l.merchant_id as "merchantId", l.actor, l.action, l.subject, l.before, l.after,
        l.correlation_id as "correlationId"
      from taken join audit_log l on l.id = taken.id and l.at = taken.at order by l.id
    `.execute(trx);
    for (const { id, at, ...change } of rows)
      log.info('audit', { auditId: id, changedAt: at.toISOString(), ...change });
    return rows.length;
  });
}
