import type { Transaction } from 'kysely';
import type { AdNetwork } from './network.ts';
import type { Database } from '../../database/tables.ts';
import type { EffectCall, EffectContext, EffectResult } from '../../events/destination.ts';
import type { LanewayError } from '../../runtime/errors.ts';

/**
 * One kind of intent at an ad network: `desired.kind` names it. All kinds share the lane of their (merchant, network), and so
 * its quota, its breaker and its order. The methods are those of a destination's driver.
 */
export interface NetworkEffect {
  send(network: AdNetwork, call: EffectCall, signal: AbortSignal): Promise<EffectResult>;
  /** Undefined also where there is nothing to look up, because doing it again does no harm. */
  probe(network: AdNetwork, call: EffectCall, signal: AbortSignal): Promise<EffectResult | undefined>;
  satisfies(call: EffectCall, result: EffectResult): boolean;
  observe?(
    network: AdNetwork,
    call: EffectCall,
    result: EffectResult,
    signal: AbortSignal,
  ): Promise<Record<string, unknown> | undefined>;
  recordSuccess(
    trx: Transaction<Database>,
    network: AdNetwork,
    call: EffectCall,
    result: EffectResult,
    observed: Record<string, unknown> | undefined,
    context: EffectContext,
  ): Promise<void>;
  recordFailure(
    trx: Transaction<Database>,
    network: AdNetwork,
    call: EffectCall,
    error: LanewayError,
    context: EffectContext,
  ): Promise<void>;
}
