import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';

/**
 * The record of a chaos run, in three tables that only grow.
 *
 * chaos_effects  written by the handlers themselves, in the transaction of their effect
 * chaos_ends     how pairs ended, copied from every settlement as it is written or changed
 * chaos_commits  one row for each lane that a transaction moved, written at its commit by a deferred trigger, so that
 *                `seq` is the order of the commits and not of the inserts
 *
 * `chaos_troubles` counts the runs that planned troubles have spoiled, over restarts of the worker; `chaos_repairs` gets a
 * row once the cause of every poison is mended.
 * @param db as the owner of the schema; the workers may append and read, no more
 */
export async function createHistoryTables(db: Kysely<Database>): Promise<void> {
  await sql`
    create table chaos_effects (
      seq bigint generated always as identity primary key,
      handler text not null,
      merchant_id text collate "C" not null,
      event_id text not null,
      mseq bigint not null,
      worker text not null,
      xid xid8 not null default pg_current_xact_id(),
      at timestamptz not null default clock_timestamp()
    );
    create table chaos_ends (
      seq bigint generated always as identity primary key,
      handler text not null,
      merchant_id text collate "C" not null,
      event_id text not null,
      mseq bigint not null,
      outcome text not null,
      reason text,
      owner text not null,
      xid xid8 not null default pg_current_xact_id()
    );
    create table chaos_commits (
      seq bigint generated always as identity primary key,
      merchant_id text collate "C" not null,
      owner text not null,
      worker text not null,
      cursor bigint not null,
      xid xid8 not null default pg_current_xact_id(),
      at timestamptz not null default clock_timestamp()
    );
    create table chaos_troubles (
      handler text not null,
      merchant_id text collate "C" not null,
      event_id text not null,
      at timestamptz not null default clock_timestamp()
    );
    create index on chaos_troubles (merchant_id, event_id, handler);
    create table chaos_repairs (at timestamptz not null default clock_timestamp());

    create function chaos_note_end() returns trigger language plpgsql as $body$ begin
      insert into chaos_ends (handler, merchant_id, event_id, mseq, outcome, reason, owner)
      values (new.handler, new.merchant_id, new.event_id, new.mseq, new.outcome, new.reason, new.owner);
      return null;
    end $body$;
    create trigger chaos_note_end after insert or update on settlements
      for each row execute function chaos_note_end();

    create function chaos_note_commit() returns trigger language plpgsql as $body$ begin
      insert into chaos_commits (merchant_id, owner, worker, cursor)
      values (new.merchant_id, new.owner, new.worker, new.cursor);
      return null;
    end $body$;
    create constraint trigger chaos_note_commit after insert or update of owner, cursor on lanes
      deferrable initially deferred for each row when (new.owner is not null)
      execute function chaos_note_commit();

    grant select, insert on chaos_effects, chaos_ends, chaos_commits, chaos_troubles, chaos_repairs to laneway_worker;
    revoke update, delete on chaos_effects, chaos_ends, chaos_commits, chaos_troubles, chaos_repairs from laneway_worker;
  `.execute(db);
}
