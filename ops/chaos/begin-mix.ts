import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import { compareReports } from '../checker/compare-reports.ts';
import { effectiveEvents } from '../checker/effective-events.ts';
import { readDatabase } from '../checker/read-database.ts';
import { readMessages } from '../checker/read-messages.ts';
import { readNetworkLog } from '../checker/read-network-log.ts';
import { planAds } from '../load/ad-plans.ts';
import { advertise, openAdvertisers } from '../load/advertise.ts';
import type { LoadEvent } from '../load/load-event.ts';
import { monthBefore } from '../load/month-before.ts';
import { contactsOf, prepareShops, shopsOf } from '../load/prepare-shops.ts';
import { keyringOf } from '../local/process-environment.ts';
import type { RunningStack } from '../local/stack.ts';
import { type PartnerJudgement, checkPartners } from './check-partners.ts';
import { asSent, reconcileAll } from './mix.ts';
import type { Producers } from './send-load.ts';
import { troublePartners } from './trouble-partners.ts';

export interface Mix {
  /** Some of the shops make ad sets and ads, and change them, while everything is disturbed. */
  advertise(signal: AbortSignal): Promise<void>;
  /** Producers that let the partners' troubles begin as they send. */
  troubling(producers: Producers): Producers;
  judge(
    sent: readonly LoadEvent[],
    options: { say: (line: string) => void; signal: AbortSignal },
  ): Promise<{ judgement: PartnerJudgement; rested: boolean; emitted: readonly LoadEvent[] }>;
}

/** Prepares a run over the mix: its shops are opened, and whom we call is about to fail. */
export async function beginMix(
  stack: RunningStack,
  admin: Kysely<Database>,
  load: readonly LoadEvent[],
  seed: number,
): Promise<Mix> {
  const plans = planAds(shopsOf(load), { seed, events: load.length });
  const url = stack.describe().adNetworkUrl;
  const { startMs } = monthBefore(Date.now());
  const keyring = keyringOf(stack.secrets);
  await prepareShops(admin, load, { startMs, nowMs: Date.now(), appsUrl: `${url}/apps`, keyring });
  const keys = await openAdvertisers(admin, plans, Date.now());
  const troubles = await troublePartners(url, seed);
  return {
    async advertise(signal) {
      await advertise(plans, { gatewayUrl: stack.describe().gatewayUrl, keys, signal });
    },
    troubling: (producers) => ({
      ...producers,
      sendPaced: (paced, rate, onSent) =>
        producers.sendPaced(paced, rate, (count) => {
          troubles.upTo(count);
          onSent(count);
        }),
    }),
    async judge(sent, options) {
      const dropped = await troubles.end();
      const rested = await reconcileAll(admin, [...keys.keys()], options);
      const held = await readDatabase(admin, contactsOf(load));
      const events = effectiveEvents(sent, { deadLetters: [], emitted: held.emitted });
      const judgement = checkPartners({
        ...dropped,
        notified: held.notified,
        calls: await readNetworkLog(url),
        messages: await readMessages(url),
        unknownMessages: await countUnknown(admin),
        reports: await compareReports(events, admin, keyring),
      });
      return { judgement, rested, emitted: held.emitted.map(asSent) };
    },
  };
}

async function countUnknown(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from notifications where status = 'unknown'`.execute(
    db,
  );
  return rows[0]?.n ?? 0;
}
