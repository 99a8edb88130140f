import { type Kysely, sql } from 'kysely';

/**
 * The engine: numbering (mailbox, accepted, inbox), lanes with their fence, unfinished deliveries, settlements, outbox,
 * intents. Every table carries merchant_id, the shard key for the day one Postgres is not enough. Text keys are
 * `collate "C"`, so that SQL and JavaScript agree on the order in which rows are locked.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table mailbox (
      merchant_id text collate "C" primary key,
      next_mseq bigint not null default 1,
      last_day date not null,
      touched_at timestamptz not null
    ) with (fillfactor = 70);
    create index mailbox_touched on mailbox (touched_at);

    create table accepted (
      merchant_id text collate "C" not null,
      event_id text collate "C" not null,
      body_hmac bytea not null,
      mseq bigint not null,
      day date not null,
      accepted_at timestamptz not null,
      primary key (merchant_id, event_id)
    );

    create table inbox (
      merchant_id text collate "C" not null,
      day date not null,
      mseq bigint not null,
      event_id text not null,
      event_type text not null,
      event_version text not null,
      correlation_id text not null,
      traceparent text not null,
      source_queue text not null,
      received_at timestamptz not null,
      bytes integer not null,
      body bytea not null,
      key_id text,
      primary key (merchant_id, day, mseq)
    ) partition by range (day);

    create table lanes (
      merchant_id text collate "C" primary key,
      owner text,
      worker text,
      cursor bigint not null default 0,
      cursor_day date not null default '2000-01-01',
      state text not null default 'active' check (state in ('active', 'paused', 'blocked')),
      state_reason text,
      open_deliveries integer not null default 0,
      wake bigint not null default 0,
      weight integer not null default 1,
      due_at timestamptz,
      updated_at timestamptz not null default now()
    ) with (fillfactor = 70);
    create index lanes_due on lanes (due_at) where due_at is not null;
    create index lanes_blocked on lanes (state) where state <> 'active';

    create table deliveries (
      merchant_id text collate "C" not null,
      mseq bigint not null,
      handler text not null,
      day date not null,
      event_id text not null,
      event_type text not null,
      state text not null check (state in ('waiting', 'behind', 'parked', 'redrive')),
      holds text not null check (holds in ('merchant', 'aggregate', 'event')),
      hold_key text,
      attempt integer not null default 0,
      crashes integer not null default 0,
      not_before timestamptz,
      first_error jsonb,
      last_error jsonb,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, mseq, handler)
    );
    create index deliveries_due on deliveries (merchant_id, not_before) where state in ('waiting', 'redrive');
    create index deliveries_held on deliveries (merchant_id, handler, hold_key, mseq) where hold_key is not null;
    create index deliveries_parked on deliveries (handler) where state = 'parked';

    create sequence settled_seq;
    create table settlements (
      merchant_id text collate "C" not null,
      day date not null,
      mseq bigint not null,
      handler text not null,
      event_id text not null,
      outcome text not null check (outcome in ('done', 'skip', 'dead')),
      reason text,
      attempts integer not null default 1,
      out_of_order boolean not null default false,
      settled_seq bigint not null default nextval('settled_seq'),
      settled_at timestamptz not null,
      worker text not null,
      owner text not null,
      primary key (merchant_id, day, mseq, handler)
    ) partition by range (day);
    create index settlements_time on settlements using brin (settled_at);
    create index settlements_dead on settlements (handler, settled_at) where outcome = 'dead';

    create view applied as
      select handler, event_id, merchant_id, mseq, settled_seq, settled_at, worker, owner
      from settlements where outcome = 'done';

    create table handler_starts (
      handler text not null,
      merchant_id text collate "C" not null,
      mseq bigint not null,
      primary key (handler, merchant_id)
    );

    create table outbox_heads (
      merchant_id text collate "C" primary key,
      next_seq bigint not null
    ) with (fillfactor = 70);

    create table outbox (
      merchant_id text collate "C" not null,
      seq bigint not null,
      stream text not null check (stream in ('events', 'dead-letters')),
      shard integer not null,
      event_id text not null,
      event_type text not null,
      destination text not null,
      deduplication_id text not null,
      attributes jsonb not null,
      body bytea not null,
      key_id text,
      created_at timestamptz not null,
      attempts integer not null default 0,
      not_before timestamptz,
      last_error text,
      state text not null default 'pending' check (state in ('pending', 'sent', 'unsendable')),
      sent_at timestamptz,
      primary key (merchant_id, seq)
    ) with (fillfactor = 80);
    create index outbox_pending on outbox (shard, stream, merchant_id, seq) where state = 'pending';
    create index outbox_sent on outbox (sent_at) where state = 'sent';

    create table relay_leases (
      shard integer primary key,
      owner text not null,
      worker text not null,
      expires_at timestamptz not null
    );

    create table effect_lanes (
      merchant_id text collate "C" not null,
      destination text not null,
      owner text,
      worker text,
      due_at timestamptz,
      updated_at timestamptz not null,
      primary key (merchant_id, destination)
    ) with (fillfactor = 70);
    create index effect_lanes_due on effect_lanes (due_at) where due_at is not null;

    create table intents (
      merchant_id text collate "C" not null,
      destination text not null,
      object_key text not null,
      version bigint not null,
      desired jsonb not null,
      content_hash text not null,
      state text not null check (state in ('pending', 'sending', 'unknown', 'done', 'dead')),
      event_id text not null,
      event_type text not null,
      handler text not null,
      mseq bigint not null,
      day date not null,
      correlation_id text not null,
      traceparent text not null,
      deadline_ms integer not null,
      attempt integer not null default 0,
      not_before timestamptz,
      sent_version bigint,
      sent_hash text,
      sent_at timestamptz,
      external_id text,
      first_error jsonb,
      last_error jsonb,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, destination, object_key)
    ) with (fillfactor = 70);
    create index intents_open on intents (merchant_id, destination, not_before)
      where state in ('pending', 'sending', 'unknown');
    create index intents_unfinished on intents (state, destination) where state <> 'done';

    create table redrives (
      id text primary key,
      merchant_id text collate "C" not null,
      mseq bigint not null,
      day date not null,
      handler text not null,
      requested_by text not null,
      reason text not null,
      requested_at timestamptz not null,
      finished_at timestamptz,
      result text
    );
    create index redrives_of_event on redrives (merchant_id, mseq);

    create table schema_info (
      singleton boolean primary key default true check (singleton),
      version integer not null,
      breaking_version integer not null
    );
    insert into schema_info (version, breaking_version) values (1, 1);
  `.execute(db);

  await sql`
    create function ensure_day_partitions(first_day date, last_day date) returns void
    language plpgsql security definer set search_path = public, pg_temp as $body$
    declare
      parent text;
      day date;
    begin
      perform pg_advisory_xact_lock(hashtext('laneway.partitions'));
      foreach parent in array array['inbox', 'settlements'] loop
        for day in select generate_series(first_day, last_day, interval '1 day')::date loop
          if to_regclass(format('%I', parent || '_' || to_char(day, 'YYYYMMDD'))) is null then
            execute format('create table %I partition of %I for values from (%L) to (%L)',
              parent || '_' || to_char(day, 'YYYYMMDD'), parent, day, day + 1);
          end if;
        end loop;
      end loop;
    end
    $body$;
  `.execute(db);
}
