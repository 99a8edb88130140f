import { LanewayError } from '../../runtime/errors.ts';
import type { CampaignState } from './tables.ts';

/**
 *   draft ──► awaiting_approval ──► rejected ──► awaiting_approval (asked for again)
 *     │               │
 *     └───────┬───────┘ approved, or no approval needed
 *             ├─► pending (starts later) ─┐
 *             └───────────────────────────┴─► active ⇄ paused ──► ended ──► archived
 *
 * What the merchant asked for last, which the networks follow. No network knows a campaign before it is active or paused for
 * the first time; ended is final. Asking for the state that is already asked for is allowed and sends it to the networks
 * again. Archiving takes a campaign out of sight: one that networks know has to have ended first.
 */
export const requestableStates = ['active', 'paused', 'ended', 'archived'] as const;
export type RequestableState = (typeof requestableStates)[number];

const allowed: Record<CampaignState, readonly RequestableState[]> = {
  draft: ['active', 'paused', 'ended', 'archived'],
  awaiting_approval: ['archived'],
  rejected: ['active', 'paused', 'archived'],
  pending: ['active', 'paused', 'ended'],
  active: ['active', 'paused', 'ended'],
  paused: ['active', 'paused', 'ended'],
  ended: ['ended', 'archived'],
  archived: [],
};

/** Throws `campaigns.illegal_transition` with the states that are allowed from here. */
export function checkTransition(from: CampaignState, to: RequestableState): void {
  if (allowed[from].includes(to)) return;
  const instead = allowed[from].length === 0 ? 'nothing' : allowed[from].join(', ');
  throw new LanewayError(
    'campaigns.illegal_transition',
    `a campaign that is ${from} cannot become ${to}; allowed: ${instead}`,
  );
}

/** Whether a command about the campaign has ever been sent, so that networks may hold it. */
export const isKnownToNetworks = (state: CampaignState): boolean =>
  state === 'active' || state === 'paused' || state === 'ended';
