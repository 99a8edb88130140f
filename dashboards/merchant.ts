import type { Kysely } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import { merchantId as merchantIdSchema } from '../core/events/envelope.ts';
import type { LoadPanel, Panel } from './panels.ts';
import { type CampaignOnNetwork, readCampaigns } from './reads/campaigns.ts';
import { type OpenDelivery, readDeliveriesOf } from './reads/deliveries.ts';
import { type LaneSummary, readLane } from './reads/lanes.ts';
import { merchantExists } from './reads/search.ts';
import { type SettledEvent, readJournal } from './reads/settlements.ts';

export interface MerchantView {
  at: Date;
  merchantId: string;
  /** Undefined in the value: nothing was accepted for the merchant yet. */
  lane: Panel<LaneSummary | undefined>;
  deliveries: Panel<readonly OpenDelivery[]>;
  journal: Panel<readonly SettledEvent[]>;
  campaigns: Panel<readonly CampaignOnNetwork[]>;
}

const ROWS = 50;

/** Undefined when there is no such merchant. */
export async function loadMerchant(
  { db, loadPanel }: { db: Kysely<Database>; loadPanel: LoadPanel },
  merchantId: string,
  nowMs: number,
): Promise<MerchantView | undefined> {
  // No merchant has an id that the envelope refuses, and some of those cannot even be sent to Postgres.
  if (!merchantIdSchema.safeParse(merchantId).success) return undefined;
  const known = await loadPanel('merchant', () => merchantExists(db, merchantId));
  if (known.ok && !known.value) return undefined;
  const [lane, deliveries, journal, campaigns] = await Promise.all([
    loadPanel('lane', () => readLane(db, merchantId)),
    loadPanel('deliveries of a merchant', () => readDeliveriesOf(db, merchantId, ROWS)),
    loadPanel('journal', () => readJournal(db, merchantId, ROWS)),
    loadPanel('campaigns', () => readCampaigns(db, merchantId, ROWS)),
  ]);
  return { at: new Date(nowMs), merchantId, lane, deliveries, journal, campaigns };
}
