import { z } from 'zod';
import type { Owner } from './object-store.ts';

/** What an ad account is kept in. Every account exists; what is not set is kept in EUR and UTC. */
export const accountSettings = z.strictObject({
  network: z.string(),
  account: z.string(),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default('EUR'),
  timeZone: z.string().default('UTC'),
});
export type AccountSettings = z.infer<typeof accountSettings>;

export interface Accounts {
  set(settings: AccountSettings): void;
  of(owner: Owner): { currency: string; timeZone: string };
}

export function createAccounts(): Accounts {
  const known = new Map<string, AccountSettings>();
  return {
    set: (settings) => void known.set(`${settings.network}/${settings.account}`, settings),
    of: ({ network, account }) => known.get(`${network}/${account}`) ?? { currency: 'EUR', timeZone: 'UTC' },
  };
}

/** Digits after the decimal point of a currency (ISO 4217). */
export const digitsOf = (currency: string): number =>
  new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
