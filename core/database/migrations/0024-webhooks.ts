import { type Kysely, sql } from 'kysely';
import { grantMerchantTables } from './merchant-tables.ts';
import { makeOtherPartition } from './other-partition.ts';

/** Webhook endpoints of merchants, what is to be delivered to them, and every attempt. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table webhook_endpoints (
      merchant_id text collate "C" not null,
      endpoint_id text collate "C" not null,
      url text not null,
      description text not null default '',
      types text[] not null,
      ordering text not null check (ordering in ('parallel', 'sequential')),
      secrets jsonb not null,
      state text not null default 'enabled' check (state in ('enabled', 'disabled', 'deleted')),
      state_reason text,
      next_sequence bigint not null default 1,
      failing_since timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (merchant_id, endpoint_id)
    ) with (fillfactor = 70);

    create table webhook_deliveries (
      merchant_id text collate "C" not null,
      endpoint_id text collate "C" not null,
      sequence bigint not null,
      event_id text collate "C" not null,
      webhook_type text not null,
      body text not null,
      lane text not null,
      status text not null check (status in ('pending', 'delivered', 'failed', 'held')),
      attempts integer not null default 0,
      last_attempt_at timestamptz,
      response_status integer,
      error text,
      created_at timestamptz not null,
      delivered_at timestamptz,
      primary key (merchant_id, endpoint_id, sequence),
      unique (merchant_id, endpoint_id, event_id)
    ) with (fillfactor = 80);
    create index webhook_deliveries_open on webhook_deliveries (merchant_id, endpoint_id, lane, sequence)
      where status = 'pending';
    create index webhook_deliveries_missed on webhook_deliveries (merchant_id, endpoint_id, sequence)
      where status in ('failed', 'held');

    create table webhook_attempts (
      merchant_id text collate "C" not null,
      endpoint_id text collate "C" not null,
      sequence bigint not null,
      attempt integer not null,
      at timestamptz not null,
      duration_ms integer not null,
      response_status integer,
      response text,
      error text
    ) partition by range (at);
    create index webhook_attempts_of_delivery on webhook_attempts (merchant_id, endpoint_id, sequence, at);
  `.execute(db);
  await makeOtherPartition(db, 'webhook_attempts');
  await grantMerchantTables(db, {
    read: ['webhook_deliveries', 'webhook_attempts'],
    write: ['webhook_endpoints'],
  });
  await sql`revoke update, delete on webhook_attempts from laneway_worker`.execute(db);
}
