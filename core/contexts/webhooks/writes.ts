import type { Transaction } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { requireRoom } from '../platform/reads.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { newId } from '../../runtime/ids.ts';
import type { Keyring } from '../../people/keyring.ts';
import { readEndpoint } from './reads.ts';
import { openSecrets, sealSecrets } from './secrets.ts';
import { firstSecret, rotateSecrets } from './sign.ts';
import type { Ordering } from './tables.ts';

export interface NewEndpoint {
  url: string;
  description: string;
  types: readonly string[];
  ordering: Ordering;
}

/** Resolves with its id and its secret, which is shown this once. Throws `platform.quota_reached`. */
export async function createEndpoint(
  trx: Transaction<Database>,
  keyring: Keyring,
  merchantId: string,
  endpoint: NewEndpoint,
  nowMs: number,
): Promise<{ endpointId: string; secret: string }> {
  await requireRoom(trx, merchantId, 'webhook_endpoints', () => countEndpoints(trx, merchantId), nowMs);
  const endpointId = `ep-${newId()}`;
  const secrets = firstSecret();
  const now = new Date(nowMs);
  await trx
    .insertInto('webhook_endpoints')
    .values({
      merchant_id: merchantId,
      endpoint_id: endpointId,
      url: endpoint.url,
      description: endpoint.description,
      types: [...endpoint.types],
      ordering: endpoint.ordering,
      ...(await sealSecrets(trx, keyring, { merchantId, endpointId, secrets }, nowMs)),
      created_at: now,
      updated_at: now,
    })
    .execute();
  return { endpointId, secret: secrets[0]?.secret ?? '' };
}

async function countEndpoints(trx: Transaction<Database>, merchantId: string): Promise<number> {
  const { count } = await trx
    .selectFrom('webhook_endpoints')
    .select((each) => each.fn.countAll<number>().as('count'))
    .where('merchant_id', '=', merchantId)
    .where('state', '<>', 'deleted')
    .executeTakeFirstOrThrow();
  return count;
}

/** What is left out stays. Enabling forgets for how long it has failed. Throws `webhooks.not_found`. */
export async function changeEndpoint(
  trx: Transaction<Database>,
  merchantId: string,
  endpointId: string,
  change: Partial<NewEndpoint> & { state?: 'enabled' | 'disabled' | 'deleted' },
  nowMs: number,
): Promise<void> {
  const { types, state, ...rest } = change;
  const { numUpdatedRows } = await trx
    .updateTable('webhook_endpoints')
    .set({
      ...rest,
      ...(types === undefined ? {} : { types: [...types] }),
      ...(state === undefined ? {} : { state, state_reason: state === 'disabled' ? 'by the merchant' : null }),
      ...(state === 'enabled' ? { failing_since: null } : {}),
      updated_at: new Date(nowMs),
    })
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .where('state', '<>', 'deleted')
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) throw notFound(endpointId);
}

/** Resolves with the new secret. The one before is signed with too for a day. Throws `webhooks.not_found`. */
export async function rotateSecret(
  trx: Transaction<Database>,
  keyring: Keyring,
  merchantId: string,
  endpointId: string,
  nowMs: number,
): Promise<string> {
  const found = await trx
    .selectFrom('webhook_endpoints')
    .select(['secrets', 'sealed_secrets as sealedSecrets', 'key_id as keyId'])
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .where('state', '<>', 'deleted')
    .forUpdate()
    .executeTakeFirst();
  if (found === undefined) throw notFound(endpointId);
  const before = await openSecrets(trx, keyring, { merchantId, endpointId }, found);
  const secrets = rotateSecrets(before, nowMs);
  const sealed = await sealSecrets(trx, keyring, { merchantId, endpointId, secrets }, nowMs);
  await trx
    .updateTable('webhook_endpoints')
    .set({ ...sealed, updated_at: new Date(nowMs) })
    .where('merchant_id', '=', merchantId)
    .where('endpoint_id', '=', endpointId)
    .execute();
  return secrets[0]?.secret ?? '';
}

/** Throws `webhooks.not_found`. */
export async function requireEndpoint(trx: Transaction<Database>, merchantId: string, endpointId: string) {
  const endpoint = await readEndpoint(trx, merchantId, endpointId);
  if (endpoint === undefined || endpoint.state === 'deleted') throw notFound(endpointId);
  return endpoint;
}

const notFound = (endpointId: string) =>
  new LanewayError('webhooks.not_found', `there is no webhook endpoint ${endpointId}`);
