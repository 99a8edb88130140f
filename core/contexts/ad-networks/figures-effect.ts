import type { Transaction } from 'kysely';
import { z } from 'zod';
import type { AdAccounts } from './accounts.ts';
import type { NetworkEffect } from './effect.ts';
import { createHandover } from './handover.ts';
import type { AdAccount, AdNetwork, DayRange, ReportRow } from './network.ts';
import { daysBack } from './report-days.ts';
import type { AdNetworkId } from '../campaigns/events.ts';
import type { Database } from '../../database/tables.ts';
import type { Clock } from '../../runtime/clock.ts';
import { contentHash } from '../../runtime/ids.ts';

const desiredReport = z.looseObject({ days: z.int().min(1).max(30) });

export interface FiguresRead {
  currency: string;
  timeZone: string;
  readAtMs: number;
  /** The first day that was read. */
  from: string;
  rows: readonly ReportRow[];
}

export interface Whose {
  merchantId: string;
  network: AdNetworkId;
}

/** A day's figures of what `names` names, in our names. */
export interface ToldDay<Names> {
  names: Names;
  row: ReportRow;
  /** Of the row, by which it is known that it was told. */
  hash: string;
}

/** Days that are told in one transaction; more follow with the next fetch, which finds them untold. */
const MAX_TOLD = 5_000;
/** Days for which it is remembered what was told: longer than any fetch looks back. */
export const FORGET_AFTER_DAYS = 60;

/**
 * Reads figures of a merchant at a network and publishes each day that has changed since it was last read: networks restate
 * a day for weeks, and most days of most fetches are what they were.
 */
export function createFiguresEffect<Names extends { campaignId: string }>(options: {
  accounts: AdAccounts;
  clock: Clock;
  report(
    network: AdNetwork,
    account: AdAccount,
    asked: { merchantId: string; range: DayRange; nowMs: number },
    signal: AbortSignal,
  ): Promise<readonly ReportRow[]>;
  /** The days that say something new, which are then known as told. */
  takeChanged(
    trx: Transaction<Database>,
    whose: Whose,
    read: FiguresRead,
    nowMs: number,
  ): Promise<readonly ToldDay<Names>[]>;
}): NetworkEffect {
  const { accounts, clock } = options;
  const handover = createHandover<FiguresRead>();
  return {
    async send(network, call, signal) {
      const { days } = desiredReport.parse(call.desired);
      const { merchantId, idempotencyKey } = call;
      const account = await accounts.of(network, merchantId, signal);
      const readAtMs = clock.now();
      const range = daysBack(account.timeZone, readAtMs, days);
      const rows = await options.report(network, account, { merchantId, range, nowMs: readAtMs }, signal);
      const { currency, timeZone } = account;
      handover.put(idempotencyKey, { currency, timeZone, readAtMs, from: range.from, rows });
      return { externalId: 'report', actual: { rows: rows.length } };
    },
    probe: () => Promise.resolve(undefined),
    satisfies: () => false,
    async recordSuccess(trx, network, call, _result, _observed, context) {
      const read = handover.take(call.idempotencyKey);
      if (read === undefined) return;
      const whose = { merchantId: call.merchantId, network: network.id };
      for (const { names, row } of await options.takeChanged(trx, whose, read, context.now)) {
        const { impressions, clicks, conversions, spendMicros } = row;
        context.emit({
          eventType: 'AdPerformanceDataIngestedEvent',
          payload: {
            adNetworkId: network.id,
            reportDate: row.date,
            ...names,
            metricsPayload: { impressions, clicks, conversions, spendMicros, currency: read.currency },
            timestamp: new Date(read.readAtMs).toISOString(),
            accountTimeZone: read.timeZone,
          },
        });
      }
    },
    recordFailure: () => Promise.resolve(),
  };
}

/**
 * Of what was read, the days of what is ours that differ from what was told of them, as many as one transaction may tell.
 * @param namesOf our names of what the network calls so; undefined for what is not ours or may not be told yet
 * @param toldHashOf the hash of what was told last
 */
export const untoldDays = <Names>(
  rows: readonly ReportRow[],
  namesOf: (row: ReportRow) => Names | undefined,
  toldHashOf: (names: Names, row: ReportRow) => string | undefined,
): ToldDay<Names>[] =>
  rows
    .flatMap((row) => {
      const names = namesOf(row);
      return names === undefined ? [] : [{ names, row, hash: contentHash(row) }];
    })
    .filter(({ names, row, hash }) => toldHashOf(names, row) !== hash)
    .slice(0, MAX_TOLD);
