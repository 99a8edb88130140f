import { type Selectable, type Transaction, sql } from 'kysely';
import type { Discount } from './discount.ts';
import type { Eligibility } from './eligibility.ts';
import { MAX_OPEN_OFFERS } from './reads.ts';
import type { PromotionsTables } from './tables.ts';
import type { Database } from '../../database/tables.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';

type OfferRow = Selectable<PromotionsTables['offers']>;

export interface OfferFields {
  name: string;
  discount: Discount;
  eligibility: Eligibility;
  stacking: 'exclusive' | 'stackable';
  priority: number;
  /** ISO 8601. */
  startsAt: string;
  endsAt?: string | null | undefined;
  currency: string;
  budgetMinor?: number | null | undefined;
  campaignIds: readonly string[];
}

const columnsOf = (fields: OfferFields) => ({
  name: fields.name,
  discount: JSON.stringify(fields.discount),
  eligibility: JSON.stringify(fields.eligibility),
  stacking: fields.stacking,
  priority: fields.priority,
  starts_at: new Date(fields.startsAt),
  ends_at: fields.endsAt === undefined || fields.endsAt === null ? null : new Date(fields.endsAt),
  currency: fields.currency,
  budget_minor: fields.budgetMinor ?? null,
  campaign_ids: [...new Set(fields.campaignIds)],
});

/** Throws `offers.invalid` for one that could never hold, and `offers.too_many`. */
export async function createOffer(
  trx: Transaction<Database>,
  merchantId: string,
  { state, ...fields }: OfferFields & { state: 'draft' | 'scheduled' },
  nowMs: number,
): Promise<string> {
  const columns = columnsOf(fields);
  checkTimes(columns, nowMs);
  if (state === 'scheduled') await checkRoom(trx, merchantId);
  const offerId = `off-${newId()}`;
  const now = new Date(nowMs);
  await trx
    .insertInto('offers')
    .values({
      merchant_id: merchantId,
      offer_id: offerId,
      ...columns,
      state,
      due_at: state === 'scheduled' ? columns.starts_at : null,
      created_at: now,
      updated_at: now,
    })
    .execute();
  if (state === 'scheduled') await raiseSalesVersions(trx, [merchantId]);
  return offerId;
}

/**
 * Changes an offer. Throws `offers.not_found`, `offers.invalid`, and `offers.illegal_change` for one that has ended, and for the
 * start or the currency of one that runs.
 */
export async function changeOffer(
  trx: Transaction<Database>,
  merchantId: string,
  offerId: string,
  fields: OfferFields,
  nowMs: number,
): Promise<void> {
  const row = await lockOffer(trx, merchantId, offerId);
  const columns = columnsOf(fields);
  if (row.state === 'ended') throw refuse('An offer that has ended cannot be changed; make a new one.');
  if (row.state === 'running' && columns.starts_at.getTime() !== row.starts_at.getTime())
    throw refuse('The start of an offer that runs cannot be changed.');
  if (row.currency !== columns.currency && row.state === 'running')
    throw refuse('The currency of an offer that runs cannot be changed: orders have spent some of its budget.');
  checkTimes(columns, nowMs);
  const due = { draft: null, scheduled: columns.starts_at, running: columns.ends_at }[row.state];
  await update(trx, row, { ...columns, due_at: due }, nowMs);
  if (row.state !== 'draft') await raiseSalesVersions(trx, [merchantId]);
}

/** draft → scheduled. Throws `offers.not_found`, `offers.illegal_change`, `offers.invalid`, `offers.too_many`. */
export async function scheduleOffer(
  trx: Transaction<Database>,
  merchantId: string,
  offerId: string,
  nowMs: number,
): Promise<void> {
  const row = await lockOffer(trx, merchantId, offerId);
  if (row.state !== 'draft') throw refuse(`An offer that is ${row.state} is scheduled already or has ended.`);
  checkTimes(row, nowMs);
  await checkRoom(trx, merchantId);
  await update(trx, row, { state: 'scheduled', due_at: row.starts_at }, nowMs);
  await raiseSalesVersions(trx, [merchantId]);
}

/** Ends an offer now. Ending what has ended changes nothing. Throws `offers.not_found`. */
export async function endOffer(
  trx: Transaction<Database>,
  merchantId: string,
  offerId: string,
  nowMs: number,
): Promise<void> {
  const row = await lockOffer(trx, merchantId, offerId);
  if (row.state === 'ended') return;
  const turned = row.state === 'running' ? { turns: row.turns + 1, turned_at: new Date(nowMs) } : {};
  await update(trx, row, { state: 'ended', ended_by: 'merchant', due_at: null, ...turned }, nowMs);
  if (row.state !== 'draft') await raiseSalesVersions(trx, [merchantId]);
}

/** Tells whoever shows prices that they may have changed. */
export async function raiseSalesVersions(trx: Transaction<Database>, merchantIds: readonly string[]): Promise<void> {
  const distinct = [...new Set(merchantIds)].toSorted();
  if (distinct.length === 0) return;
  await sql`
    insert into sales_versions as held (merchant_id, version) select merchant_id, 1
    from unnest(${distinct}::text[]) as merchant_id order by merchant_id collate "C"
    on conflict (merchant_id) do update set version = held.version + 1
  `.execute(trx);
}

async function lockOffer(trx: Transaction<Database>, merchantId: string, offerId: string): Promise<OfferRow> {
  const row = await trx
    .selectFrom('offers')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .where('offer_id', '=', offerId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw new LanewayError('offers.not_found', `There is no offer ${offerId}.`);
  return row;
}

async function update(
  trx: Transaction<Database>,
  { merchant_id, offer_id, updated_at }: OfferRow,
  changes: Partial<ReturnType<typeof columnsOf>> & Partial<Pick<OfferRow, 'state' | 'ended_by' | 'due_at' | 'turns'>>,
  nowMs: number,
): Promise<void> {
  await trx
    .updateTable('offers')
    .set({ ...changes, updated_at: new Date(Math.max(nowMs, updated_at.getTime() + 1)) })
    .where('merchant_id', '=', merchant_id)
    .where('offer_id', '=', offer_id)
    .execute();
}

const refuse = (message: string) => new LanewayError('offers.illegal_change', message);

function checkTimes({ starts_at, ends_at }: Pick<OfferRow, 'starts_at' | 'ends_at'>, nowMs: number): void {
  if (ends_at !== null && ends_at.getTime() <= Math.max(nowMs, starts_at.getTime()))
    throw new LanewayError('offers.invalid', 'endsAt must lie in the future and after startsAt.');
}

async function checkRoom(trx: Transaction<Database>, merchantId: string): Promise<void> {
  const { open } = await trx
    .selectFrom('offers')
    .select((select) => select.fn.countAll<number>().as('open'))
    .where('merchant_id', '=', merchantId)
    .where('state', 'in', ['scheduled', 'running'])
    .executeTakeFirstOrThrow();
  if (open >= MAX_OPEN_OFFERS)
    throw new LanewayError('offers.too_many', `${MAX_OPEN_OFFERS} offers are scheduled or running; end some first.`);
}
