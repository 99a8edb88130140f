import { type Kysely, sql } from 'kysely';

/**
 * What operators command: limits and drain of a lane, verdicts on what is parked, redrive runs, and the record of who did
 * what and why. The role `laneway_operator` may read what explains a lane and write what commands one, column by column:
 * never an event, a cursor, an owner or a settlement.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table lanes
      add column state_by text,
      add column state_at timestamptz,
      add column drain_to bigint,
      add column rate_per_second double precision check (rate_per_second > 0),
      add column rate_tokens double precision not null default 0,
      add column rate_at timestamptz,
      add constraint lanes_weight check (weight between 1 and 20);
    drop index lanes_blocked;
    create index lanes_held on lanes (state, merchant_id) where state <> 'active';
    create index lanes_waiting on lanes (merchant_id) where due_at is not null;
    create index lanes_draining on lanes (merchant_id) where drain_to is not null;

    alter table redrives add column verdict text not null default 'retry' check (verdict in ('retry', 'skip', 'dead'));
    create index redrives_open on redrives (merchant_id) where finished_at is null;
    alter table deliveries add column verdict text check (verdict in ('skip', 'dead'));

    create table operator_actions (
      id bigint generated always as identity primary key,
      action text not null,
      merchant_id text collate "C",
      requested_by text not null,
      reason text not null,
      requested_at timestamptz not null,
      before jsonb,
      after jsonb
    );
    create index operator_actions_of_merchant on operator_actions (merchant_id, id);

    create table redrive_runs (
      id text primary key,
      requested_by text not null,
      reason text not null,
      requested_at timestamptz not null,
      per_second double precision not null check (per_second > 0),
      selection jsonb not null,
      finished_at timestamptz
    );
    create table redrive_items (
      run_id text not null references redrive_runs,
      ordinal integer not null,
      kind text not null check (kind in ('handler', 'effect', 'message')),
      queue text not null,
      merchant_id text,
      event_id text,
      handler text not null,
      mseq bigint,
      day date,
      object_key text,
      message_id text,
      state text not null default 'pending' check (state in ('pending', 'requested', 'nothing', 'failed')),
      result text,
      updated_at timestamptz not null,
      primary key (run_id, ordinal)
    );
    create index redrive_items_pending on redrive_items (run_id, ordinal) where state = 'pending';
  `.execute(db);

  await sql`
    do $do$ begin
      perform pg_advisory_xact_lock(hashtext('laneway.roles'));
      if not exists (select from pg_roles where rolname = 'laneway_operator') then
        create role laneway_operator nologin;
      end if;
    end $do$
  `.execute(db);
  await sql`
    grant usage on schema public to laneway_operator;
    grant select on mailbox, lanes, inbox, deliveries, settlements, redrives, effect_lanes, intents, operator_actions,
      redrive_runs, redrive_items, schema_info to laneway_operator;
    grant insert (merchant_id, due_at), update (state, state_reason, state_by, state_at, drain_to, wake, due_at, weight,
      rate_per_second, rate_tokens, rate_at) on lanes to laneway_operator;
    grant insert on redrives, operator_actions, redrive_runs, redrive_items to laneway_operator;
    grant update (due_at, updated_at) on effect_lanes to laneway_operator;
    grant update (state, attempt, not_before, updated_at) on intents to laneway_operator;
    grant update (finished_at) on redrive_runs to laneway_operator;
    grant update (state, result, updated_at) on redrive_items to laneway_operator;
    create policy operating on settlements for select to laneway_operator using (true);

    revoke update, delete on operator_actions from laneway_worker;
    update schema_info set version = 2;
  `.execute(db);
}
