import { appendFileSync } from 'node:fs';
import { type Kysely, type Transaction, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import { type HandlerContext, type HandlerModule, type Outcome, snooze } from '../../core/events/handler.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { type Trouble, troubleOf } from './trouble.ts';

export interface WrapOptions {
  worker: string;
  /** Where starts are noted, a JSON object a line: outside of any transaction, so that rolled back runs can be seen too. */
  startsFile: string;
  /** Connections of their own, for counts that outlive a rolled back run. */
  troubles: Kysely<Database>;
  clock: Clock;
}

/**
 * Wraps handlers so that they note their starts, suffer the troubles that their events plan for them, and record their
 * effects in the transaction in which these commit or not.
 */
export function wrapHandlers(
  modules: ReadonlyMap<string, HandlerModule>,
  options: WrapOptions,
): ReadonlyMap<string, HandlerModule> {
  return new Map([...modules].map(([name, module]) => [name, wrap(name, module, options)]));
}

function wrap(handler: string, module: HandlerModule, options: WrapOptions): HandlerModule {
  const run = async (events: readonly LanewayEvent[], context: HandlerContext): Promise<readonly Outcome[]> => {
    noteStarts(handler, events, options);
    const early = new Map<LanewayEvent, Outcome>();
    for (const event of events) {
      const trouble = troubleOf(event.payload, handler);
      if (trouble === undefined) continue;
      const outcome = await suffer(trouble, handler, event, context, options);
      if (outcome !== undefined) early.set(event, outcome);
    }
    const rest = events.filter((event) => !early.has(event));
    const outcomes = await runAll(module, rest, context);
    const ends = new Map(rest.map((event, index) => [event, outcomes[index]]));
    await recordEffects(
      context.trx,
      handler,
      options.worker,
      rest.filter((event) => ends.get(event)?.kind === 'done'),
    );
    return events.map((event) => {
      const outcome = early.get(event) ?? ends.get(event);
      if (outcome === undefined) throw new Error(`${handler} gave no outcome for ${event.eventId}`);
      return outcome;
    });
  };
  if ('handleMany' in module) return { handleMany: run };
  return {
    async handle(event, context) {
      const [outcome] = await run([event], context);
      if (outcome === undefined) throw new Error(`${handler} gave no outcome for ${event.eventId}`);
      return outcome;
    },
  };
}

async function runAll(
  module: HandlerModule,
  events: readonly LanewayEvent[],
  context: HandlerContext,
): Promise<readonly Outcome[]> {
  if (events.length === 0) return [];
  if ('handleMany' in module) return await module.handleMany(events, context);
  const outcomes: Outcome[] = [];
  for (const event of events) outcomes.push(await module.handle(event, context));
  return outcomes;
}

/** Synchronous: a process that is killed in the next instant has noted it. */
function noteStarts(
  handler: string,
  events: readonly LanewayEvent[],
  { worker, startsFile, clock }: WrapOptions,
): void {
  const atMs = clock.now();
  const lines = events.map(({ merchantId, eventId, mseq }) =>
    JSON.stringify({ handler, merchantId, eventId, mseq, worker, pid: process.pid, atMs }),
  );
  appendFileSync(startsFile, `${lines.join('\n')}\n`);
}

/** Answers with an outcome where the trouble is one, and with nothing where the handler may go on. */
async function suffer(
  trouble: Trouble,
  handler: string,
  event: LanewayEvent,
  { trx }: HandlerContext,
  { troubles, clock }: WrapOptions,
): Promise<Outcome | undefined> {
  switch (trouble.kind) {
    case 'fail':
      if (await spoil(troubles, handler, event, trouble.times)) throw new Error(`planned failure of ${event.eventId}`);
      return undefined;
    case 'poison':
      if (await isRepaired(trx)) return undefined;
      throw new LanewayError('handler.failed', `planned poison ${event.eventId}`, { retry: trouble.retry });
    case 'snooze':
      return (await spoil(troubles, handler, event, trouble.times)) ? snooze(trouble.ms, 'planned') : undefined;
    case 'slow':
      await clock.sleep(trouble.ms);
      return undefined;
    case 'die':
      if (await spoil(troubles, handler, event, 1)) process.kill(process.pid, 'SIGKILL');
      return undefined;
    case 'stuck':
      // Only an event that has failed alone has a delivery: what runs from then on is in a transaction of its own.
      if (await hasDelivery(trx, event)) {
        if (!(await spoil(troubles, handler, event, 1))) return undefined;
        for (let tries = 0; tries < stuckMs / stuckEveryMs && !(await isRepaired(trx)); tries++)
          await clock.sleep(stuckEveryMs);
      }
      throw new Error(`planned to be stuck in ${event.eventId}`);
    default:
      return trouble satisfies never;
  }
}

async function hasDelivery(trx: Transaction<Database>, { merchantId, mseq }: LanewayEvent): Promise<boolean> {
  const { rows } =
    await sql`select from deliveries where merchant_id = ${merchantId} and mseq = ${mseq} limit 1`.execute(trx);
  return rows.length > 0;
}

const stuckMs = 30_000;
const stuckEveryMs = 20;

async function isRepaired(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql`select from chaos_repairs limit 1`.execute(db);
  return rows.length > 0;
}

/** Counts a spoilt run, in a transaction of its own. False when the event has had its share. */
async function spoil(db: Kysely<Database>, handler: string, event: LanewayEvent, times: number): Promise<boolean> {
  const { merchantId, eventId } = event;
  const { rows } = await sql`
    insert into chaos_troubles (handler, merchant_id, event_id)
    select ${handler}, ${merchantId}, ${eventId}
    where (select count(*) from chaos_troubles
      where handler = ${handler} and merchant_id = ${merchantId} and event_id = ${eventId}) < ${times}
    returning at
  `.execute(db);
  return rows.length > 0;
}

async function recordEffects(
  trx: Transaction<Database>,
  handler: string,
  worker: string,
  events: readonly LanewayEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await sql`
    insert into chaos_effects (handler, merchant_id, event_id, mseq, worker)
    select ${handler}, merchant_id, event_id, mseq, ${worker}
    from unnest(${events.map((e) => e.merchantId)}::text[], ${events.map((e) => e.eventId)}::text[],
      ${events.map((e) => e.mseq)}::bigint[]) with ordinality as t (merchant_id, event_id, mseq, ord)
    order by ord
  `.execute(trx);
}
