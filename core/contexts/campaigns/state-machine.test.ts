import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkTransition } from './state-machine.ts';
import { LanewayError } from '../../runtime/errors.ts';

test('every state but an ended one may become any that the networks know', () => {
  for (const from of ['draft', 'pending', 'active', 'paused'] as const) {
    for (const to of ['active', 'paused', 'ended'] as const) checkTransition(from, to);
  }
  checkTransition('ended', 'ended');
});

test('a refused transition says what the campaign is and what it may become, and is never retried', () => {
  for (const to of ['active', 'paused'] as const) {
    try {
      checkTransition('ended', to);
      assert.unreachable();
    } catch (error) {
      if (!(error instanceof LanewayError)) throw error;
      assert.equal([error.code, error.retry], ['campaigns.illegal_transition', 'never']);
      assert.is(error.message, `a campaign that is ended cannot become ${to}; allowed: ended`);
    }
  }
});

test.run();
