import type { AdAccount, AdNetwork } from './network.ts';
import type { Clock } from '../../runtime/clock.ts';
import { contentHash } from '../../runtime/ids.ts';

/** The account of a merchant on networks that make an account for everybody who asks, as those of a local run do. */
export const derivedAccountId = (merchantId: string): string =>
  `1${(BigInt(`0x${contentHash(merchantId).slice(0, 12)}`) % 100_000_000_000n).toString().padStart(11, '0')}`;

const KEPT_MS = 3_600_000;
const MAX_KEPT = 20_000;

export interface AdAccounts {
  of(network: AdNetwork, merchantId: string, signal: AbortSignal): Promise<AdAccount>;
}

/**
 * What accounts are kept in, as the networks say: currency and zone never change on any of them, so that an answer is kept
 * for an hour, and the oldest are forgotten beyond a bound.
 */
export function createAdAccounts(options: {
  clock: Clock;
  accountIdOf: (merchantId: string, network: AdNetwork['id']) => Promise<string>;
}): AdAccounts {
  const { clock, accountIdOf } = options;
  const kept = new Map<string, { account: AdAccount; until: number }>();
  return {
    async of(network, merchantId, signal) {
      const accountId = await accountIdOf(merchantId, network.id);
      const key = `${network.id}/${accountId}`;
      const known = kept.get(key);
      if (known !== undefined && known.until > clock.now()) return known.account;
      const account = await network.readAccount(accountId, signal);
      kept.delete(key);
      kept.set(key, { account, until: clock.now() + KEPT_MS });
      const oldest = kept.keys().next();
      if (kept.size > MAX_KEPT && oldest.done !== true) kept.delete(oldest.value);
      return account;
    },
  };
}
