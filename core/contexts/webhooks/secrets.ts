import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import type { SigningSecret } from './tables.ts';
import type { Database } from '../../database/tables.ts';
import type { Keyring } from '../../people/keyring.ts';
import { openValues, sealValues } from '../../people/sealed-values.ts';

const signingSecrets = z.array(z.object({ secret: z.string(), expiresAt: z.string().nullable() }));

const placeOf = (merchantId: string, endpointId: string): string =>
  JSON.stringify(['webhook_endpoints', merchantId, endpointId]);

interface Columns {
  secrets: SigningSecret[];
  sealedSecrets: Buffer | null;
  keyId: string | null;
}

/** What the columns of an endpoint's secrets are to hold: under a key of the endpoint's own, never in clear. */
export async function sealSecrets(
  trx: Transaction<Database>,
  keyring: Keyring,
  { merchantId, endpointId, secrets }: { merchantId: string; endpointId: string; secrets: readonly SigningSecret[] },
  nowMs: number,
) {
  const subject = { merchantId, subjectId: `webhook-endpoint:${endpointId}`, occurredAtMs: nowMs };
  const value = { subject, value: secrets, belongsTo: placeOf(merchantId, endpointId) };
  const [sealed] = await sealValues(trx, keyring, [value], nowMs);
  if (sealed === undefined) throw new Error('an endpoint was given no key');
  return { secrets: '[]', sealed_secrets: sealed.sealed, key_id: sealed.keyId };
}

/** Those of an endpoint, of rows from earlier releases too. */
export async function openSecrets(
  db: Kysely<Database>,
  keyring: Keyring,
  { merchantId, endpointId }: { merchantId: string; endpointId: string },
  { secrets, sealedSecrets: sealed, keyId }: Columns,
): Promise<SigningSecret[]> {
  const [opened] = await openValues(db, keyring, [{ sealed, keyId, belongsTo: placeOf(merchantId, endpointId) }]);
  return opened === undefined ? secrets : signingSecrets.parse(opened);
}

/** Throws a NoResultError for an endpoint that never was. */
export async function readSecrets(
  db: Kysely<Database>,
  keyring: Keyring,
  { merchantId, endpointId }: { merchantId: string; endpointId: string },
): Promise<SigningSecret[]> {
  const row = await db
    .selectFrom('webhook_endpoints')
    .select(['secrets', 'sealed_secrets as sealedSecrets', 'key_id as keyId'])
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .executeTakeFirstOrThrow();
  return await openSecrets(db, keyring, { merchantId, endpointId }, row);
}
