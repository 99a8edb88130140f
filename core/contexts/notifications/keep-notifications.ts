import { type Transaction, sql } from 'kysely';
import type { Database } from '../../database/tables.ts';
import type { HandlerContext } from '../../events/handler.ts';
import { requireKeyring, sealValues } from '../../people/sealed-values.ts';
import type { Wanted } from './decide-notification.ts';
import { contentOf } from './sealed.ts';
import type { NotificationStatus } from './tables.ts';

/** The request that holds a key, and how far it is. */
export interface Kept {
  eventId: string;
  parametersHash: string;
  status: NotificationStatus;
  digestAt: Date | null;
}

/**
 * Writes each notification under its key, its text sealed under that of its recipient. Of several requests for one key the earliest counts, by the time that it carries
 * and then by its id, whichever came first: until something is sent, so that the end does not depend on the order in which
 * they arrive. Resolves with who holds each key now.
 */
export async function keepNotifications(
  { trx, keyring, now }: Pick<HandlerContext, 'trx' | 'keyring' | 'now'>,
  merchantId: string,
  requests: readonly Wanted[],
): Promise<ReadonlyMap<string, Kept>> {
  const earliest = earliestOfEachKey(requests);
  const contents = await sealValues(
    trx,
    requireKeyring(keyring),
    earliest.map(({ key, recipientId, requestedAt, content }) => ({
      subject: { merchantId, subjectId: recipientId, occurredAtMs: requestedAt.getTime() },
      value: content,
      belongsTo: contentOf(merchantId, key),
    })),
    now,
  );
  const column = <T>(pick: (request: Wanted) => T): T[] => earliest.map(pick);
  await noteRequests(trx, merchantId, requests);
  await sql`
    insert into notifications as n (merchant_id, notification_key, recipient_id, channel, template_id, category, priority,
      parameters_hash, locale, template_version, subject, body_text, sealed, key_id, status, status_reason, digest_at,
      event_id, requested_at, sent_at, updated_at)
    select ${merchantId}, t.*, case when t.status = 'sent' then t.requested_at end, ${new Date(now)}::timestamptz
    from unnest(
      ${column((r) => r.key)}::text[], ${column((r) => r.recipientId)}::text[], ${column((r) => r.channel)}::text[],
      ${column((r) => r.templateId)}::text[], ${column((r) => r.category)}::text[], ${column((r) => r.priority)}::text[],
      ${column((r) => r.parametersHash)}::text[], ${column((r) => r.locale)}::text[],
      ${column((r) => r.templateVersion)}::text[], ${column(() => '')}::text[], ${column(() => '')}::text[],
      ${contents.map((c) => c.sealed)}::bytea[], ${contents.map((c) => c.keyId)}::text[],
      ${column((r) => r.status)}::text[], ${column((r) => r.statusReason)}::text[],
      ${column((r) => r.digestAt)}::timestamptz[], ${column((r) => r.eventId)}::text[],
      ${column((r) => r.requestedAt)}::timestamptz[]
    ) as t (notification_key, recipient_id, channel, template_id, category, priority, parameters_hash, locale,
      template_version, subject, body_text, sealed, key_id, status, status_reason, digest_at, event_id, requested_at)
    order by t.notification_key collate "C"
    on conflict (merchant_id, notification_key) do update set
      recipient_id = excluded.recipient_id, channel = excluded.channel, template_id = excluded.template_id,
      category = excluded.category, priority = excluded.priority, parameters_hash = excluded.parameters_hash,
      locale = excluded.locale, template_version = excluded.template_version, subject = excluded.subject,
      body_text = excluded.body_text, body_html = excluded.body_html, sealed = excluded.sealed, key_id = excluded.key_id,
      status = excluded.status,
      status_reason = excluded.status_reason, digest_at = excluded.digest_at, event_id = excluded.event_id,
      requested_at = excluded.requested_at, sent_at = excluded.sent_at, updated_at = excluded.updated_at
    where (excluded.requested_at, excluded.event_id) < (n.requested_at, n.event_id)
      and (n.status in ('queued', 'digested', 'suppressed', 'undeliverable') or n.channel = 'in_app' and n.read_at is null)
  `.execute(trx);
  return await readKept(trx, merchantId, earliest);
}

function earliestOfEachKey(requests: readonly Wanted[]): Wanted[] {
  const earliest = new Map<string, Wanted>();
  for (const request of requests) {
    const other = earliest.get(request.key);
    if (other === undefined || isEarlier(request, other)) earliest.set(request.key, request);
  }
  return [...earliest.values()];
}

const isEarlier = (a: Wanted, b: Wanted): boolean =>
  a.requestedAt.getTime() === b.requestedAt.getTime()
    ? a.eventId < b.eventId
    : a.requestedAt.getTime() < b.requestedAt.getTime();

async function readKept(
  trx: Transaction<Database>,
  merchantId: string,
  requests: readonly Wanted[],
): Promise<Map<string, Kept>> {
  const rows = await trx
    .selectFrom('notifications')
    .select([
      'notification_key as key',
      'event_id as eventId',
      'parameters_hash as parametersHash',
      'status',
      'digest_at as digestAt',
    ])
    .where('merchant_id', '=', merchantId)
    .where(
      'notification_key',
      'in',
      requests.map(({ key }) => key),
    )
    .execute();
  return new Map(rows.map(({ key, ...kept }) => [key, kept]));
}

/** Only of keys that producers chose: nobody else can ask for an event's own id. */
async function noteRequests(
  trx: Transaction<Database>,
  merchantId: string,
  requests: readonly Wanted[],
): Promise<void> {
  const named = requests.filter(({ key, eventId }) => key !== eventId);
  if (named.length === 0) return;
  await trx
    .insertInto('notification_requests')
    .values(
      named.map(({ key, eventId, parametersHash, requestedAt }) => ({
        merchant_id: merchantId,
        notification_key: key,
        event_id: eventId,
        parameters_hash: parametersHash,
        requested_at: requestedAt,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
