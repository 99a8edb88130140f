import type { Kysely } from 'kysely';
import { createAdObjectEffect } from './ad-object-effect.ts';
import { createAdPerformanceEffect } from './ad-performance-effect.ts';
import { createAudienceEffect } from './audience-effect.ts';
import type { AdAccounts } from './accounts.ts';
import { createCampaignEffect } from './campaign-effect.ts';
import type { NetworkEffect } from './effect.ts';
import { limitsOfNetwork } from './limits.ts';
import type { AdNetwork } from './network.ts';
import { createPerformanceEffect } from './performance-effect.ts';
import { createReconcileEffect } from './reconcile-effect.ts';
import { createTwinEffect } from './twin-effect.ts';
import type { Database } from '../../database/tables.ts';
import type { DestinationDriver, EffectCall } from '../../events/destination.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';

export interface AdNetworkDriverOptions {
  networks: readonly AdNetwork[];
  accounts: AdAccounts;
  clock: Clock;
  /** Members of audiences are read from it as they are sent. */
  db: Kysely<Database>;
  /** How far listings of the networks may lag behind; ten minutes when it is not given. */
  lagMs?: number;
}

/** `ad-network:meta` → `meta` */
const networkOf = (destination: string): string => destination.slice(destination.indexOf(':') + 1);

/** The ad networks as destinations: everything that is desired of a network, as one lane for each merchant. */
export function createAdNetworkDriver({ networks, ...options }: AdNetworkDriverOptions): DestinationDriver {
  const effects = new Map<string, NetworkEffect>([
    ['campaign', createCampaignEffect(options)],
    ['report', createPerformanceEffect(options)],
    ['ad_report', createAdPerformanceEffect(options)],
    ['reconcile', createReconcileEffect(options)],
    ['twin', createTwinEffect(options)],
    ['audience', createAudienceEffect(options)],
    ['ad_set', createAdObjectEffect(options)],
    ['ad', createAdObjectEffect(options)],
  ]);

  const network = (destination: string): AdNetwork => {
    const found = networks.find(({ id }) => id === networkOf(destination));
    if (found !== undefined) return found;
    throw new LanewayError('config.invalid', `this release knows no ad network ${networkOf(destination)}`, {
      retry: 'backoff',
    });
  };
  const effectOf = ({ desired }: EffectCall): NetworkEffect => {
    const kind = typeof desired['kind'] === 'string' ? desired['kind'] : 'campaign';
    const found = effects.get(kind);
    if (found !== undefined) return found;
    throw new LanewayError('effect.rejected', `this release knows nothing of the kind ${kind} to do at a network`);
  };

  return {
    limits: (destination) => limitsOfNetwork(networkOf(destination)),
    send: async (call, signal) => effectOf(call).send(network(call.destination), call, signal),
    probe: async (call, signal) => effectOf(call).probe(network(call.destination), call, signal),
    satisfies: (call, result) => effectOf(call).satisfies(call, result),
    observe: async (call, result, signal) => effectOf(call).observe?.(network(call.destination), call, result, signal),
    recordSuccess: async (trx, call, result, observed, context) =>
      effectOf(call).recordSuccess(trx, network(call.destination), call, result, observed, context),
    recordFailure: async (trx, call, error, context) =>
      effectOf(call).recordFailure(trx, network(call.destination), call, error, context),
  };
}
