import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';

/** What keeps the system from resting, in words: a few examples of each kind with the last error. For a run that stalled. */
export async function readOpen(db: Kysely<Database>, examples = 5): Promise<string[]> {
  const { rows } = await sql<{ line: string }>`
    (select format('lane of %s: %s events behind, state %s %s', m.merchant_id, m.next_mseq - 1 - coalesce(l.cursor, 0),
        coalesce(l.state, 'never worked'), coalesce(l.state_reason, '')) as line
      from mailbox m left join lanes l using (merchant_id)
      where m.next_mseq - 1 > coalesce(l.cursor, 0) limit ${examples})
    union all
    (select format('event %s of %s at %s: %s, attempt %s, not before %s: %s', event_id, merchant_id, handler, state,
        attempt, coalesce(not_before::text, 'now'), coalesce(last_error ->> 'message', 'no error'))
      from deliveries order by created_at limit ${examples})
    union all
    (select format('call to %s for %s of %s: %s, attempt %s, not before %s: %s', destination, object_key, merchant_id,
        state, attempt, coalesce(not_before::text, 'now'), coalesce(last_error ->> 'message', 'no error'))
      from intents where state in ('pending', 'sending', 'unknown') order by updated_at limit ${examples})
    union all
    (select format('outbox row %s of %s to %s: %s, %s attempts: %s', seq, merchant_id, destination, state, attempts,
        coalesce(last_error, 'no error'))
      from outbox where state = 'pending' order by created_at limit ${examples})
  `.execute(db);
  return rows.map(({ line }) => line.trim());
}
