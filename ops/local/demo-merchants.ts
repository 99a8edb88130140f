import type { Kysely } from 'kysely';
import { createApiKey, createMerchant } from '../../core/contexts/access/writes.ts';
import type { Database } from '../../core/database/tables.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import type { Secrets } from './secrets.ts';

export interface DemoMerchant {
  readonly id: string;
  readonly apiKey: string;
}

const demoMerchants = [
  { merchantId: 'demo-outdoor', name: 'Outdoor demo shop' },
  { merchantId: 'demo-books', name: 'Books demo shop' },
  { merchantId: 'demo-garden', name: 'Garden demo shop' },
] as const;

/** Merchants to try things with. The database knows only the hashes of their keys: the keys stay with the secrets. */
export async function ensureDemoMerchants(
  db: Kysely<Database>,
  secrets: Secrets,
  saveSecrets: () => void,
): Promise<DemoMerchant[]> {
  const known = new Set(
    (await db.selectFrom('merchants').select('merchant_id').execute()).map(({ merchant_id }) => merchant_id),
  );
  const merchants: DemoMerchant[] = [];
  for (const { merchantId, name } of demoMerchants) {
    const kept = known.has(merchantId) ? secrets.apiKeys[merchantId] : undefined;
    if (kept !== undefined) {
      merchants.push({ id: merchantId, apiKey: kept });
      continue;
    }
    const now = systemClock.now();
    if (!known.has(merchantId)) await createMerchant(db, { merchantId, name }, now);
    const apiKey = await createApiKey(db, { merchantId, label: 'demo' }, now);
    secrets.apiKeys[merchantId] = apiKey;
    saveSecrets();
    merchants.push({ id: merchantId, apiKey });
  }
  return merchants;
}
