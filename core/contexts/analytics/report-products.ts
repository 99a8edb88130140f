import { type RawBuilder, sql } from 'kysely';
import type { Stretches } from './stretches.ts';

const thirdOf = (day: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`date_trunc('month', ${day}::timestamp)::date + 10 * least(2, (extract(day from ${day})::int - 1) / 10)`;

/**
 * Figures by product. Networks count clicks and spend by campaign, so each product has a share of what a campaign spent on a
 * day, and what is left over, with all of a day without sales, is of no product. So the rows add up to the report by campaign,
 * to the micro. A product's third of a month is read as one where it was called the same at the end of all of its days,
 * else the days are.
 */
export function productFigures(merchantId: string, { allDays, byThird }: Stretches): RawBuilder<unknown> {
  const figures = sql`product_id, currency, orders, units, revenue_minor, spend_micros, as_of`;
  return sql`
    with names as materialized (
      -- A version holds at the end of a day, in UTC, from the day on which it began until the one on which it ended.
      select product_id, title, brand, (valid_from at time zone 'UTC')::date as first_day,
        coalesce((valid_to at time zone 'UTC')::date, 'infinity') as end_day
      from product_versions where merchant_id = ${merchantId}
    ), renamed as materialized (
      select distinct product_id, third
      from (
        select product_id, day, ${thirdOf(sql`day`)} as third
        from names, lateral unnest(array[first_day, end_day]) day where isfinite(day)
      ) changes
      where day > third and ${byThird.whole}
    ), sold as (
      select ${figures}, third as day from product_thirds
      where merchant_id = ${merchantId} and ${byThird.whole}
        and (product_id, third) not in (select product_id, third from renamed)
      union all
      select ${figures}, day from product_days where merchant_id = ${merchantId} and ${byThird.otherDays}
      union all
      select d.* from renamed, lateral (
        select ${figures}, day from product_days d
        where d.merchant_id = ${merchantId} and d.product_id = renamed.product_id and d.day >= renamed.third
          and d.day < renamed.third + 11 and ${thirdOf(sql`d.day`)} = renamed.third
        offset 0
      ) d
    ), by_version as materialized (
      select s.product_id, s.currency, n.first_day, sum(s.orders)::bigint as orders, sum(s.units)::bigint as units,
        sum(s.revenue_minor)::bigint as revenue_minor, sum(s.spend_micros)::bigint as spend_micros, max(s.as_of) as as_of
      from sold s left join names n on n.product_id = s.product_id and s.day >= n.first_day and s.day < n.end_day
      group by s.product_id, s.currency, n.first_day
    )
    select null::text as day, null::text as network, null::text as campaign, s.product_id as product, n.title, n.brand,
      s.units, s.currency, 0 as impressions, 0 as clicks, 0 as conversions, s.spend_micros, s.orders, s.revenue_minor,
      s.as_of
    from by_version s left join names n on n.product_id = s.product_id and n.first_day = s.first_day
      and n.end_day > n.first_day
    union all
    select null, null, null, '', null, null, 0, currency, impressions, clicks, conversions, spend_micros, 0, 0, as_of
    from ad_network_days where merchant_id = ${merchantId} and ${allDays} and not is_account
    union all
    select null, null, null, '', null, null, 0, currency, 0, 0, 0, -sum(spend_micros)::bigint, 0, 0, null
    from by_version group by currency having sum(spend_micros) <> 0
  `;
}
