import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';

export interface DestinationEffects {
  destination: string;
  /** Declared and not yet true: pending or being sent. */
  open: number;
  /** Sent, and nobody knows yet whether it arrived. */
  unknown: number;
  dead: number;
  oldestOpenAt: Date | null;
}

export interface NetworkStates {
  adNetworkId: string;
  pending: number;
  live: number;
  failed: number;
  /** Campaigns whose state on the network is not the desired one. */
  differing: number;
}

const ROWS_CONSIDERED = 50_000;

export async function readEffects(db: Kysely<Database>): Promise<readonly DestinationEffects[]> {
  const { rows } = await sql<DestinationEffects>`
    select destination, count(*) filter (where state in ('pending', 'sending')) as open,
      count(*) filter (where state = 'unknown') as unknown, count(*) filter (where state = 'dead') as dead,
      min(updated_at) filter (where state in ('pending', 'sending', 'unknown')) as "oldestOpenAt"
    from (
      (select destination, state, updated_at from intents where state in ('pending', 'sending', 'unknown')
       limit ${ROWS_CONSIDERED})
      union all
      (select destination, state, updated_at from intents where state = 'dead' limit ${ROWS_CONSIDERED})
    ) unfinished
    group by destination order by destination limit 100
  `.execute(db);
  return rows;
}

export async function readNetworkStates(db: Kysely<Database>): Promise<readonly NetworkStates[]> {
  const { rows } = await sql<NetworkStates>`
    select ad_network_id as "adNetworkId", count(*) filter (where status = 'pending') as pending,
      count(*) filter (where status = 'live') as live, count(*) filter (where status = 'failed') as failed,
      count(*) filter (where actual_state is distinct from desired_state) as differing
    from (
      select ad_network_id, status, actual_state, desired_state from campaign_network_states limit ${ROWS_CONSIDERED}
    ) states
    group by ad_network_id order by ad_network_id limit 100
  `.execute(db);
  return rows;
}
