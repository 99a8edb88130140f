import { type Kysely, sql } from 'kysely';
import { protectMerchantTable } from '../protect-merchant-table.ts';

/** Products that come in bulk: what was uploaded and how far it was worked, and what was pulled from the core platform. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table product_imports (
      merchant_id text collate "C" not null,
      import_id text collate "C" not null,
      state text not null check (state in ('receiving', 'ready', 'running', 'done', 'failed')),
      received_bytes bigint not null default 0,
      received_lines bigint not null default 0,
      parts integer not null default 0,
      next_part integer not null default 0,
      published bigint not null default 0,
      refused bigint not null default 0,
      last_event_id text,
      failure text,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      finished_at timestamptz,
      primary key (merchant_id, import_id)
    );
    create index product_imports_ready on product_imports (merchant_id, import_id) where state = 'ready';

    create table product_import_parts (
      merchant_id text collate "C" not null,
      import_id text collate "C" not null,
      part integer not null,
      first_line bigint not null,
      body bytea not null,
      primary key (merchant_id, import_id, part)
    );

    create table product_import_errors (
      merchant_id text collate "C" not null,
      import_id text collate "C" not null,
      line bigint not null,
      path text not null,
      message text not null,
      primary key (merchant_id, import_id, line)
    );

    create table product_pulls (
      merchant_id text collate "C" primary key,
      enabled boolean not null,
      cursor text,
      published bigint not null default 0,
      refused bigint not null default 0,
      last_refusal text,
      last_event_id text,
      pulled_at timestamptz,
      failure text,
      updated_at timestamptz not null
    );
    create index product_pulls_enabled on product_pulls (merchant_id) where enabled;
  `.execute(db);
  await protectMerchantTable(db, 'product_imports', ['select', 'insert', 'update']);
  await protectMerchantTable(db, 'product_import_parts', ['insert']);
  await protectMerchantTable(db, 'product_import_errors', ['select']);
  await protectMerchantTable(db, 'product_pulls', ['select', 'insert', 'update']);
}
