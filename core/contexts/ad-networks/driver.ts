import { createCampaignDriver } from './campaign-driver.ts';
import type { AdAccounts } from './accounts.ts';
import { limitsOfNetwork } from './limits.ts';
import type { AdNetwork } from './network.ts';
import { recordLive, recordNetworkFailure } from './writes.ts';
import type { DestinationDriver } from '../../events/destination.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';

export interface AdNetworkDriverOptions {
  networks: readonly AdNetwork[];
  accounts: AdAccounts;
  clock: Clock;
}

/** `ad-network:meta` → `meta` */
export const networkOf = (destination: string): string => destination.slice(destination.indexOf(':') + 1);

/** The ad networks as destinations: what is desired of a network, as one lane for each merchant. */
export function createAdNetworkDriver({ networks, accounts, clock }: AdNetworkDriverOptions): DestinationDriver {
  const campaigns = createCampaignDriver(accounts);

  const network = (destination: string): AdNetwork => {
    const found = networks.find(({ id }) => id === networkOf(destination));
    if (found !== undefined) return found;
    throw new LanewayError('config.invalid', `this release knows no ad network ${networkOf(destination)}`, {
      retry: 'backoff',
    });
  };

  return {
    limits: (destination) => limitsOfNetwork(networkOf(destination)),
    send: (call, signal) => campaigns.send(network(call.destination), call, signal),
    probe: (call, signal) => campaigns.probe(network(call.destination), call, signal),
    satisfies: (call, result) => campaigns.satisfies(call, result),

    async observe(call, { externalId }, signal) {
      try {
        const from = network(call.destination);
        const account = await accounts.of(from, call.merchantId, signal);
        const date = todayIn(account.timeZone, clock.now());
        const rows = await from.report(account, { from: date, to: date }, signal);
        const row = rows.find((each) => each.externalId === externalId);
        if (row === undefined) return undefined;
        const { impressions, clicks, conversions, spendMicros } = row;
        const metrics = { impressions, clicks, conversions, spendMicros, currency: account.currency };
        return { reportDate: date, metrics };
      } catch {
        // Figures that cannot be read now are fetched later; the campaign is as desired all the same.
        return undefined;
      }
    },

    async recordSuccess(trx, call, result, observed, context) {
      await recordLive(trx, call, networkOf(call.destination), result, context.now);
      if (observed === undefined) return;
      context.emit({
        eventType: 'AdPerformanceDataIngestedEvent',
        payload: {
          adNetworkId: networkOf(call.destination),
          reportDate: observed['reportDate'],
          campaignId: call.objectKey,
          metricsPayload: observed['metrics'],
          timestamp: new Date(context.now).toISOString(),
        },
      });
    },

    recordFailure: (trx, call, error, context) =>
      recordNetworkFailure(trx, call, networkOf(call.destination), error, context.now),
  };
}

/** `YYYY-MM-DD`: days of reports are those of the account's zone. */
export const todayIn = (timeZone: string, nowMs: number): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(new Date(nowMs));
