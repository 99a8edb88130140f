import { LanewayError } from '../../runtime/errors.ts';
import type { requestedStates } from './events.ts';
import type { CampaignState } from './tables.ts';

/**
 * draft ─┬─► active ⇄ paused ─┬─► ended
 *        └────────────────────┘
 *
 * What the merchant asked for last, which the networks follow. A draft is known to no network and never comes back;
 * `pending` is a campaign whose first state is not decided yet and may be asked for any; ended is final. Asking for the
 * state that is already asked for is allowed and sends it to the networks again.
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
