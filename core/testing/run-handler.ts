import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../database/tables.ts';
import type { LanewayEvent } from '../events/envelope.ts';
import type { Emission, HandlerModule, Intent, Outcome } from '../events/handler.ts';
import { testKeyring } from './keyring.ts';
import { newTraceparent } from '../runtime/tracing.ts';

/** An event as the engine hands it to a handler. `n` numbers it. */
export const lanewayEvent = <Payload>(
  n: number,
  payload: Payload,
  overrides: Partial<LanewayEvent<Payload>> = {},
): LanewayEvent<Payload> => ({
  eventId: `event-${String(n).padStart(4, '0')}`,
  eventType: 'Test',
  eventVersion: '1.0.0',
  timestamp: '2026-11-23T10:15:01.000Z',
  sourceService: 'test',
  correlationId: `cor-${n}`,
  merchantId: 'shop-1',
  traceparent: newTraceparent(),
  mseq: n,
  day: '2026-11-23',
  payload,
  ...overrides,
});

export interface HandlerRun {
  outcomes: readonly Outcome[];
  emissions: Emission[];
  intents: Intent[];
}

/** Runs a handler over a run of events in one transaction, as a window does, or one by one with `alone`. */
export async function runHandler(
  db: Kysely<Database>,
  module: HandlerModule,
  events: readonly LanewayEvent[],
  { alone = false, now = Date.parse('2026-11-23T12:00:00.000Z') }: { alone?: boolean; now?: number } = {},
): Promise<HandlerRun> {
  const run: HandlerRun = { outcomes: [], emissions: [], intents: [] };
  const outcomes: Outcome[] = [];
  const groups = alone || 'handle' in module ? events.map((event) => [event]) : [events];
  for (const group of groups) {
    await db.transaction().execute(async (trx) => {
      const context = {
        trx,
        signal: new AbortController().signal,
        now,
        keyring: testKeyring,
        emit: (_: LanewayEvent, emission: Emission) => void run.emissions.push(emission),
        intend: (_: LanewayEvent, intent: Intent) => void run.intents.push(intent),
      };
      if ('handleMany' in module) outcomes.push(...(await module.handleMany(group, context)));
      else for (const event of group) outcomes.push(await module.handle(event, context));
    });
  }
  return { ...run, outcomes };
}

/**
 * All rows of tables as text, for comparing states. Columns that only say when something was written
 * are left out, and what is sealed, which no two writes write alike.
 */
export async function snapshot(db: Kysely<Database>, tables: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const table of tables) {
    const { rows } = await sql<{ row: string }>`
      select (to_jsonb(t) - '{updated_at,changes,revision,sealed,key_id}'::text[])::text as row from ${sql.table(table)} t order by 1
    `.execute(db);
    parts.push(table, ...rows.map(({ row }) => row));
  }
  return parts.join('\n');
}

export async function empty(db: Kysely<Database>, tables: readonly string[]): Promise<void> {
  for (const table of tables) await sql`truncate ${sql.table(table)}`.execute(db);
}
