import { sql } from 'kysely';
import { type CommittedLane, newTenure } from '../act.ts';
import { type ConvoyDependencies, type ConvoyEnd, workConvoy } from '../convoy.ts';
import { createConvoyPace } from '../convoy-pace.ts';
import { payload, testEvent } from './test-event.ts';
import type { LanewayEvent } from '../../core/events/envelope.ts';
import { type HandlerContext, type HandlerModule, type Outcome, done } from '../../core/events/handler.ts';
import { createRegistry } from '../../core/events/registry.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { seedInbox } from '../../core/testing/engine.ts';
import { createWorld } from '../../core/testing/world.ts';

export const definitionOf = (name: string) =>
  testEvent({ [`handle${name}`]: {} }, { id: `evt_${name}`, name, routingKey: `test.${name}`, aggregate: () => 'all' });

export type Many = (events: readonly LanewayEvent[], context: HandlerContext) => Promise<readonly Outcome[]>;

/** A system of the events A and B, whose handlers record each call as `merchant:type n`. */
export async function setup(handlers: { a?: HandlerModule; b?: HandlerModule } = {}) {
  const world = await createWorld();
  const { db } = world.postgres;
  await sql`create table notes (merchant_id text primary key, n int)`.execute(db);
  await sql`grant all on notes to public`.execute(db);
  const calls: string[][] = [];
  const committed: CommittedLane[] = [];
  const record: Many = (events) => {
    calls.push(
      events.map(({ merchantId, eventType, payload: p }) => `${merchantId}:${eventType}${payload.parse(p).n}`),
    );
    return Promise.resolve(events.map(() => done));
  };
  const recording: HandlerModule = { handleMany: record };
  const deps: ConvoyDependencies = {
    registry: createRegistry([definitionOf('A'), definitionOf('B')]),
    handlers: new Map([
      ['handleA', handlers.a ?? recording],
      ['handleB', handlers.b ?? recording],
    ]),
    random: () => 0,
    pool: world.postgres.pool,
    clock: systemClock,
    pace: createConvoyPace({ most: 100, meantMs: 10_000 }),
    convoyMs: 10_000,
    callMs: 10_000,
    committed: (lanes) => void committed.push(...lanes),
    lockTimeoutMs: 50,
    limits: {
      windowEvents: 10,
      windowBytes: 1_000_000,
      convoyLanes: 8,
      convoyEvents: 100,
      convoyBytes: 1_000_000,
      quantumWindows: 4,
      quantumMs: 2_000,
    },
  };
  const tenures = (...merchants: string[]) => new Map(merchants.map((merchant) => [merchant, newTenure('test')]));
  return {
    db,
    calls,
    committed,
    record,
    deps,
    tenures,
    work: (owners: ReturnType<typeof tenures>, overrides: Partial<ConvoyDependencies> = {}) =>
      workConvoy({ ...deps, ...overrides }, owners, new AbortController().signal),
    seed: (merchantId: string, ...types: string[]) =>
      seedInbox(
        db,
        types.map((eventType, i) => ({ merchantId, eventType, payload: { n: i + 1 } })),
      ),
    applied: async () => {
      const { rows } = await sql<{ merchant: string; mseqs: number[] }>`
        select merchant_id as merchant, array_agg(mseq::int order by settled_seq) as mseqs
        from applied group by merchant_id order by merchant_id`.execute(db);
      return Object.fromEntries(rows.map(({ merchant, mseqs }) => [merchant, mseqs]));
    },
    commits: async () => {
      const { rows } = await sql<{ n: number }>`select count(distinct xmin::text)::int as n from settlements`.execute(
        db,
      );
      return rows[0]?.n;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

export const kinds = (ends: ReadonlyMap<string, ConvoyEnd>) =>
  Object.fromEntries(
    [...ends].map(([merchant, end]) => [merchant, end.kind === 'alone' ? `alone, failed: ${end.failed}` : end.kind]),
  );

/** Fails for one merchant, wherever its event stands in the call. */
export const failsFor =
  (culprit: string, record: Many): Many =>
  (events, context) =>
    events.some(({ merchantId }) => merchantId === culprit) ? Promise.reject(new Error('no')) : record(events, context);
