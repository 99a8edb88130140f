import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { Rendered } from './templates/render.ts';
import type { Database } from '../../database/tables.ts';
import type { Keyring } from '../../people/keyring.ts';
import { openValues } from '../../people/sealed-values.ts';

/** How a person is reached. */
export const contactOf = (merchantId: string, recipientId: string): string =>
  JSON.stringify(['notification_recipients', merchantId, recipientId]);

/** What a person was told. */
export const contentOf = (merchantId: string, key: string): string =>
  JSON.stringify(['notifications', merchantId, key]);

const contact = z.object({ email: z.string().nullable(), phone: z.string().nullable() });
const content = z.object({ subject: z.string(), text: z.string(), html: z.string().nullable() });

/** Columns that a row keeps in clear, or sealed. */
export interface SealedColumns {
  sealed: Buffer | null;
  keyId: string | null;
}

/** Opens contacts in the place of the columns that they were in before they were sealed; of erased persons there is none. */
export async function openContacts<
  Row extends SealedColumns & { recipientId: string; email: string | null; phone: string | null },
>(db: Kysely<Database>, keyring: Keyring, merchantId: string, rows: readonly Row[]) {
  const opened = await openValues(
    db,
    keyring,
    rows.map((row) => ({ ...row, belongsTo: contactOf(merchantId, row.recipientId) })),
  );
  return rows.map(({ sealed, keyId: _keyId, ...row }, index) => ({
    ...row,
    ...(sealed === null ? {} : { email: null, phone: null }),
    ...(opened[index] === undefined ? {} : contact.parse(opened[index])),
  }));
}

/** The same for texts. `erased` where there is nobody any more whom they were for. */
export async function openContents<Row extends SealedColumns & Rendered & { key: string }>(
  db: Kysely<Database>,
  keyring: Keyring,
  merchantId: string,
  rows: readonly Row[],
) {
  const opened = await openValues(
    db,
    keyring,
    rows.map((row) => ({ ...row, belongsTo: contentOf(merchantId, row.key) })),
  );
  return rows.map(({ sealed, keyId: _keyId, ...row }, index) => ({
    ...row,
    ...(opened[index] === undefined ? {} : content.parse(opened[index])),
    erased: sealed !== null && opened[index] === undefined,
  }));
}
