import type { Kysely, Transaction } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../database/tables.ts';
import type { Keyring } from '../../people/keyring.ts';
import { openValues, requireKeyring, sealValues } from '../../people/sealed-values.ts';

/** What an endpoint is told of an event. */
export interface DeliveryPlace {
  merchantId: string;
  endpointId: string;
  eventId: string;
}

const placeOf = ({ merchantId, endpointId, eventId }: DeliveryPlace): string =>
  JSON.stringify(['webhook_deliveries', merchantId, endpointId, eventId]);

/** The columns of a body: in clear, or empty beside its sealed bytes. */
export interface BodyColumns {
  body: string;
  sealed: Buffer | null;
  keyId: string | null;
}

export interface OpenBody extends DeliveryPlace {
  body: string;
  /** Whom it is about, and since when; undefined for nobody. */
  person: { subjectId: string; occurredAtMs: number } | undefined;
}

/** What the columns are to hold, in the order given: what is about a person is sealed under the person's key. */
export async function sealDeliveries(
  trx: Transaction<Database>,
  keyring: Keyring | undefined,
  deliveries: readonly OpenBody[],
  nowMs: number,
): Promise<BodyColumns[]> {
  const about = deliveries.flatMap(({ person, body, ...place }) =>
    person === undefined
      ? []
      : [{ subject: { merchantId: place.merchantId, ...person }, value: body, belongsTo: placeOf(place) }],
  );
  if (about.length === 0) return deliveries.map(({ body }) => ({ body, sealed: null, keyId: null }));
  const sealed = (await sealValues(trx, requireKeyring(keyring), about, nowMs)).values();
  return deliveries.map(({ person, body }) => {
    if (person === undefined) return { body, sealed: null, keyId: null };
    const next = sealed.next();
    if (next.done === true) throw new Error('a body was not sealed');
    return { body: '', ...next.value };
  });
}

/** The body byte for byte as it was; undefined where the person that it is about was erased. */
export async function openDelivery(
  db: Kysely<Database>,
  keyring: Keyring,
  place: DeliveryPlace,
  { body, sealed, keyId }: BodyColumns,
): Promise<string | undefined> {
  if (sealed === null) return body;
  const [opened] = await openValues(db, keyring, [{ sealed, keyId, belongsTo: placeOf(place) }]);
  return opened === undefined ? undefined : z.string().parse(opened);
}
