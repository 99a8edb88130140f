import { type RawBuilder, sql } from 'kysely';

/**
 * Of the sums of campaigns and accounts in a range those that count, so that everything does once: what a network says of its
 * whole account counts only where it says nothing of a campaign on that day in that currency. An account may hold campaigns
 * that are none of the shop's here.
 * @param range a condition on `ad_network_days`, which the rows that are asked meet too
 */
export const countedOnce = (range: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  (not is_account or (day, ad_network_id, currency) not in (
    select day, ad_network_id, currency from ad_network_days where ${range} and not is_account))`;
