import { type Kysely, type Transaction, sql } from 'kysely';
import { saveAffiliate, saveProgram } from '../../core/contexts/affiliates/writes.ts';
import { choosePlan } from '../../core/contexts/billing/writes.ts';
import { hashIdentifiers } from '../../core/contexts/audiences/hash-identifiers.ts';
import { adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import { saveRecipient } from '../../core/contexts/notifications/writes.ts';
import { createEndpoint } from '../../core/contexts/webhooks/writes.ts';
import type { Database } from '../../core/database/tables.ts';
import type { Keyring } from '../../core/people/keyring.ts';
import type { Contact } from '../checker/read-database.ts';
import { affiliates } from './conversion-events.ts';
import type { LoadEvent } from './load-event.ts';
import { recipients } from './message-events.ts';
import { prepareFeeds } from './prepare-feeds.ts';
import { archivedMonths, oldestMonth, segments } from './upkeep-events.ts';

export interface ShopSettings {
  /** When the load begins, and when it is that shops are opened. */
  readonly startMs: number;
  readonly nowMs: number;
  /** Where third-party apps listen. */
  readonly appsUrl: string;
  /** Seals what is about people, with the keys that workers open it with. */
  readonly keyring: Keyring;
}

const merchantsAtOnce = 100;
const rowsPerMonth = 20;
const members = 5;

/**
 * Gives the merchants of a load what its events speak of: plans, affiliates, people, audiences, third-party apps, feeds that
 * are built, and months of the audit log that are old enough to go. In stores that no worker has used yet.
 * @param db as the owner of the schema
 */
export async function prepareShops(
  db: Kysely<Database>,
  load: readonly LoadEvent[],
  settings: ShopSettings,
): Promise<void> {
  const merchantIds = shopsOf(load);
  for (let from = 0; from < merchantIds.length; from += merchantsAtOnce) {
    await db.transaction().execute(async (trx) => {
      for (const [index, merchantId] of merchantIds.slice(from, from + merchantsAtOnce).entries())
        await openShop(trx, merchantId, from + index, settings);
    });
  }
  await prepareFeeds(db, load, settings.nowMs);
  await prepareMonths(db, settings.startMs);
}

/** The merchants of a load, in the order in which they first do something. */
export const shopsOf = (load: readonly LoadEvent[]): string[] => [
  ...new Set(load.filter(({ event }) => event.merchantId !== undefined).map(({ merchantId }) => merchantId)),
];

const contactsAt = (merchantId: string, number: number): Contact[] =>
  recipients.map((recipientId, index) => ({
    merchantId,
    recipientId,
    email: `${recipientId}-${number}@example.org`,
    phone: `+4915${1_000_000 + number}${index}`,
  }));

/** How the people of the shops are reached, for whoever compares what they got with what was to be sent. */
export const contactsOf = (load: readonly LoadEvent[]): Contact[] => shopsOf(load).flatMap(contactsAt);

async function openShop(
  trx: Transaction<Database>,
  merchantId: string,
  number: number,
  { startMs, nowMs, appsUrl, keyring }: ShopSettings,
): Promise<void> {
  for (const choice of plansOf(number, startMs)) await choosePlan(trx, merchantId, choice, nowMs);
  for (const affiliate of affiliates)
    await saveAffiliate(trx, keyring, merchantId, { ...affiliate, state: 'active' }, nowMs);
  if (number % 2 === 1) await saveProgram(trx, merchantId, { windowDays: 7, rule: 'first_click' }, nowMs);
  for (const contact of contactsAt(merchantId, number))
    await saveRecipient(trx, keyring, merchantId, { ...contact, locale: number % 3 === 0 ? 'de' : 'en' }, nowMs);
  if (number % 2 === 0) {
    const types = ['campaign.*', 'order.attributed'];
    const endpoint = { url: `${appsUrl}/${number}`, description: 'an app', types, ordering: 'parallel' } as const;
    await createEndpoint(trx, keyring, merchantId, endpoint, nowMs);
  }
  await openSegments(trx, merchantId, new Date(nowMs));
}

/** The standard one, one of its own, or a change in the middle of the month and none at its end. */
function plansOf(number: number, startMs: number): { planId: string | null; fromDay: string }[] {
  const month = new Date(startMs).toISOString().slice(0, 7);
  switch (number % 3) {
    case 0:
      return [];
    case 1:
      return [{ planId: 'growth', fromDay: '2020-01-01' }];
    default:
      return [
        { planId: 'starter', fromDay: '2020-01-01' },
        { planId: 'scale', fromDay: `${month}-12` },
        { planId: null, fromDay: `${month}-25` },
      ];
  }
}

async function openSegments(trx: Transaction<Database>, merchantId: string, now: Date): Promise<void> {
  const row = { merchant_id: merchantId, updated_at: now };
  await trx
    .insertInto('audience_segments')
    .values(
      segments.map((segmentId) => ({
        ...row,
        segment_id: segmentId,
        name: `Buyers ${segmentId}`,
        ad_network_ids: [...adNetworkIds],
        state: 'active' as const,
        last_seq: members,
        created_at: now,
      })),
    )
    .execute();
  const rows = segments.flatMap((segmentId) =>
    Array.from({ length: members }, (_, index) => {
      const hashed = hashIdentifiers({ email: `buyer-${index}.${segmentId}@example.org` });
      if (hashed === undefined) throw new Error('an address of ours cannot be read');
      return {
        ...row,
        segment_id: segmentId,
        member_key: hashed.key,
        identifiers: JSON.stringify(hashed.byNetwork),
        wanted: true,
        seq: index + 1,
      };
    }),
  );
  await trx.insertInto('audience_members').values(rows).execute();
}

async function prepareMonths(db: Kysely<Database>, startMs: number): Promise<void> {
  const first = oldestMonth(startMs).toISOString().slice(0, 10);
  await sql`select ensure_month_partitions('audit_log', ${first}::date, ${archivedMonths})`.execute(db);
  await sql`
    insert into audit_log (at, merchant_id, actor, action, subject, correlation_id)
    select ${first}::timestamptz + make_interval(months => month) + make_interval(days => day), 'shop-0001',
      'user:owner', 'campaign.changed', 'cmp-1', 'load'
    from generate_series(0, ${archivedMonths}::int - 1) as month, generate_series(1, ${rowsPerMonth}::int) as day
  `.execute(db);
}
