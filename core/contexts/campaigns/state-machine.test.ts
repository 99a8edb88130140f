import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkTransition, isKnownToNetworks, requestableStates } from './state-machine.ts';
import type { CampaignState } from './tables.ts';
import { LanewayError } from '../../runtime/errors.ts';

const reachable = (from: CampaignState): string[] =>
  requestableStates.filter((to) => {
    try {
      checkTransition(from, to);
      return true;
    } catch {
      return false;
    }
  });

test('each state may become what the diagram says and nothing else', () => {
  const expected = {
    draft: ['active', 'paused', 'ended', 'archived'],
    awaiting_approval: ['archived'],
    rejected: ['active', 'paused', 'archived'],
    pending: ['active', 'paused', 'ended'],
    active: ['active', 'paused', 'ended'],
    paused: ['active', 'paused', 'ended'],
    ended: ['ended', 'archived'],
    archived: [],
  } as const;
  for (const [from, to] of Object.entries(expected)) assert.equal(reachable(from as CampaignState), [...to]);
});

test('a refused transition says what the campaign is and what it may become, and is never retried', () => {
  const refused = [
    ['ended', 'active', 'a campaign that is ended cannot become active; allowed: ended, archived'],
    ['archived', 'paused', 'a campaign that is archived cannot become paused; allowed: nothing'],
  ] as const;
  for (const [from, to, message] of refused) {
    try {
      checkTransition(from, to);
      assert.unreachable();
    } catch (error) {
      if (!(error instanceof LanewayError)) throw error;
      assert.equal([error.code, error.retry, error.message], ['campaigns.illegal_transition', 'never', message]);
    }
  }
});

test('networks know a campaign once it was active or paused', () => {
  const states = ['draft', 'awaiting_approval', 'rejected', 'pending', 'active', 'paused', 'ended'] as const;
  assert.equal(states.filter(isKnownToNetworks), ['active', 'paused', 'ended']);
});

test.run();
