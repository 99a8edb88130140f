import { LanewayError } from '../../runtime/errors.ts';
import type { requestedStates } from './events.ts';
import type { CampaignState } from './tables.ts';

/**
 * draft ─► active ⇄ paused ─► ended
 *   └──────────────────────────▲   (from active and draft too; ended is final)
 *
 * `pending` is a campaign whose first command has not reached any network; it may be asked for any state.
 */
export type RequestedState = (typeof requestedStates)[number];

const allowed: Record<CampaignState, readonly RequestedState[]> = {
  draft: ['active', 'paused', 'ended'],
  pending: ['active', 'paused', 'ended'],
  active: ['active', 'paused', 'ended'],
  paused: ['active', 'paused', 'ended'],
  ended: ['ended'],
};

/** Throws `campaigns.illegal_transition` with the states that are allowed from here. */
export function checkTransition(from: CampaignState, to: RequestedState): void {
  if (allowed[from].includes(to)) return;
  throw new LanewayError(
    'campaigns.illegal_transition',
    `a campaign that is ${from} cannot become ${to}; allowed: ${allowed[from].join(', ')}`,
  );
}
