import { type Transaction, sql } from 'kysely';
import {
  type BuiltCommand,
  type CampaignRow,
  type CommandOrigin,
  type RequestedState,
  buildCommand,
  writeOperations,
} from './command.ts';
import type { Database } from '../../database/tables.ts';
import type { BuiltEvent } from '../../events/build.ts';
import { recordChanges } from '../../operations/record-change.ts';
import { coerceError } from '../../runtime/errors.ts';

/** A scheduled job that moves campaigns. */
export interface JobOrigin extends CommandOrigin {
  job: string;
}

export interface LockedMove {
  campaign: CampaignRow;
  to: RequestedState;
  /** For a campaign that no network knows: it moves without a word to them. */
  silent?: boolean;
}

/**
 * Moves campaigns of many merchants, whose rows the caller has locked, in a few statements, each with its command to the
 * networks. One whose command cannot be built stays as it is, which its merchant's audit log says, and so the log stream: it
 * must not keep the others from moving. Events are for the caller to append to the outbox as its last statement.
 */
export async function moveLocked(
  trx: Transaction<Database>,
  origin: JobOrigin,
  moves: readonly LockedMove[],
  nowMs: number,
): Promise<{ moved: LockedMove[]; refused: LockedMove[]; events: BuiltEvent[] }> {
  const moved: LockedMove[] = [];
  const commands: BuiltCommand[] = [];
  const refused: (LockedMove & { reason: string })[] = [];
  for (const move of moves) {
    const campaign = movedTo(move, nowMs);
    try {
      if (move.silent !== true) {
        const event = buildCommand(origin, { campaign, state: move.to });
        commands.push({ campaign, state: move.to, event });
      }
      moved.push({ ...move, campaign });
    } catch (error) {
      refused.push({ ...move, reason: coerceError(error).message });
    }
  }
  await writeMoved(trx, moved);
  await writeOperations(trx, commands);
  const told = refused.map(({ campaign, to, reason }) => ({
    merchantId: campaign.merchant_id,
    actor: `job:${origin.job}`,
    action: 'campaign.move_refused',
    subject: campaign.campaign_id,
    after: { asked: to, reason },
    correlationId: origin.correlationId,
  }));
  await recordChanges(trx, told, nowMs);
  return { moved, refused, events: commands.map(({ event }) => event) };
}

const movedTo = ({ campaign, to }: LockedMove, nowMs: number): CampaignRow => ({
  ...campaign,
  state: to,
  version: campaign.version + 1,
  updated_at: new Date(Math.max(nowMs, campaign.updated_at.getTime() + 1)),
});

async function writeMoved(trx: Transaction<Database>, moved: readonly LockedMove[]): Promise<void> {
  if (moved.length === 0) return;
  const column = <T>(pick: (campaign: CampaignRow) => T): T[] => moved.map(({ campaign }) => pick(campaign));
  await sql`
    update campaigns c set state = t.state, version = t.version, updated_at = t.updated_at
    from unnest(${column((c) => c.merchant_id)}::text[], ${column((c) => c.campaign_id)}::text[],
      ${column((c) => c.state)}::text[], ${column((c) => c.version)}::bigint[],
      ${column((c) => c.updated_at)}::timestamptz[]) as t (merchant_id, campaign_id, state, version, updated_at)
    where c.merchant_id = t.merchant_id and c.campaign_id = t.campaign_id
  `.execute(trx);
}
