import { sql } from 'kysely';
import { EVERY_MS, tellDeadLetters } from './tell-dead-letters.ts';
import type { ScheduledJob } from '../../schedules/definition.ts';

/**
 * Tells every merchant of windows that were planned since. The keys of the notifications name the window, so that
 * nobody is told twice; a window is announced once the last page of merchants is.
 */
export const platformJobs: readonly ScheduledJob[] = [
  {
    name: 'platform.announce_maintenance',
    description: 'Tells merchants of maintenance that was planned.',
    timing: { everyMs: 300_000 },
    missed: 'skip',
    async due(trx, { period, nowMs, after, limit }) {
      // Those of one period are the same on each of its pages.
      const { rows: windows } = await sql<{ windowId: string; startsAt: Date; endsAt: Date; reason: string }>`
        select window_id as "windowId", starts_at as "startsAt", ends_at as "endsAt", reason from maintenance_windows
        where announced_at is null and cancelled_at is null and ends_at > ${new Date(nowMs)}
          and planned_at < ${new Date(period.startMs)}
        order by window_id limit 20
      `.execute(trx);
      if (windows.length === 0) return { events: [], next: undefined };
      const { rows: merchants } = await sql<{ merchantId: string }>`
        select merchant_id as "merchantId" from merchants where merchant_id > ${after}
        order by merchant_id limit ${limit}
      `.execute(trx);
      const next = merchants.length === limit ? merchants.at(-1)?.merchantId : undefined;
      if (next === undefined)
        await sql`
          update maintenance_windows set announced_at = ${new Date(nowMs)}
          where window_id = any(${windows.map(({ windowId }) => windowId)}::text[])
        `.execute(trx);
      return {
        events: merchants.flatMap(({ merchantId }) =>
          windows.map(({ windowId, startsAt, endsAt, reason }) => ({
            eventType: 'NotificationDispatchRequestedEvent',
            merchantId,
            key: windowId,
            payload: {
              merchantId,
              recipientId: 'owner',
              channel: 'email',
              templateId: 'maintenance-window',
              payloadForTemplate: { startsAt: clockTime(startsAt), endsAt: clockTime(endsAt), reason },
              timestamp: new Date(nowMs).toISOString(),
              priority: 'medium',
              idempotencyKey: `maintenance:${windowId}`,
            },
          })),
        ),
        next,
      };
    },
  },
  {
    name: 'platform.tell_dead_letters',
    description: 'Tells merchants of what was given up in the hour before.',
    timing: { everyMs: EVERY_MS },
    missed: { catchUp: 24 },
    due: tellDeadLetters,
  },
];

/** `2026-11-28 22:00 UTC` */
const clockTime = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
