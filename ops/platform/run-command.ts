import type { Kysely } from 'kysely';
import type { PlatformCommand } from './parse-arguments.ts';
import { openMerchant } from '../../core/contexts/access/writes.ts';
import { setQuota } from '../../core/contexts/platform/quotas.ts';
import {
  type MaintenanceWindow,
  readMaintenance,
  readQuotas,
  requireKnownMerchant,
} from '../../core/contexts/platform/reads.ts';
import { endMaintenance, planMaintenance } from '../../core/contexts/platform/writes.ts';
import type { Database } from '../../core/database/tables.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import type { Said } from '../operator-command.ts';

/** Rejects with `resource.not_found`, `operators.refused`, or what the servers say. */
export async function runPlatformCommand(
  { db, clock }: { db: Kysely<Database>; clock: Clock },
  command: PlatformCommand,
): Promise<Said> {
  const nowMs = clock.now();
  switch (command.kind) {
    case 'list': {
      const windows = await readMaintenance(db, nowMs);
      return { value: { windows }, text: [...windows.map(lineOf), `${windows.length} windows`].join('\n') };
    }
    case 'plan': {
      const window = await planMaintenance(db, command, nowMs);
      return { value: window, text: `planned: ${lineOf(window)}` };
    }
    case 'end': {
      const window = await endMaintenance(db, command, nowMs);
      return { value: window, text: `ended: ${lineOf(window)}` };
    }
    case 'open-merchant': {
      const { merchantId } = command;
      const { keyId, key } = await openMerchant(db, command, nowMs);
      return { value: { merchantId, keyId, key }, text: `${merchantId} is open; its key is shown this once:\n${key}` };
    }
    case 'quotas':
      await requireKnownMerchant(db, command.merchantId);
      return await showQuotas(db, command.merchantId, nowMs);
    case 'set-quota':
      await requireKnownMerchant(db, command.merchantId);
      await setQuota(db, command, nowMs);
      return await showQuotas(db, command.merchantId, nowMs);
    default:
      return command satisfies never;
  }
}

async function showQuotas(db: Kysely<Database>, merchantId: string, nowMs: number): Promise<Said> {
  const quotas = await readQuotas(db, merchantId, nowMs);
  const lines = Object.entries(quotas).map(([resource, most]) => `${resource}  ${most}`);
  return { value: { merchantId, quotas }, text: lines.join('\n') };
}

const lineOf = ({ windowId, startsAt, endsAt, reason }: MaintenanceWindow): string =>
  `${windowId}  ${startsAt.toISOString()} to ${endsAt.toISOString()}  ${reason}`;
