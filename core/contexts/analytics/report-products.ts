import { type RawBuilder, sql } from 'kysely';

/**
 * Figures by product. Networks count clicks and spend by campaign, so what a campaign spent on a day is shared among the
 * products that its orders of the day were for, in proportion to revenue and rounded down to micros; what is left over, and
 * all of a day without sales, stays with no product. So the rows add up to the report by campaign, to the micro.
 * @param range what restricts `merchant_id` and `day`
 */
export const productFigures = (range: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  with ads as (
    select * from ad_days where ${range} and not is_account
  ), days as (
    select *, (day + 1)::timestamp at time zone 'UTC' as day_end from product_days where ${range}
  ), claimed as (
    select day, ad_network_id, campaign_id, currency, sum(greatest(revenue_minor, 0)) as revenue_minor
    from days group by 1, 2, 3, 4
  ), sold as (
    select d.*, case when d.product_id = '' or d.revenue_minor <= 0 then 0
      else div(ads.spend_micros::numeric * d.revenue_minor, claimed.revenue_minor) end as spend_micros
    from days d join claimed using (day, ad_network_id, campaign_id, currency)
      left join ads using (day, ad_network_id, campaign_id, currency)
  ), shared as (
    select day, ad_network_id, campaign_id, currency, sum(spend_micros) as spend_micros from sold group by 1, 2, 3, 4
  )
  select null::text as day, null::text as network, null::text as campaign, s.product_id as product, v.title, v.brand,
    s.units, s.currency, 0 as impressions, 0 as clicks, 0 as conversions, coalesce(s.spend_micros, 0) as spend_micros,
    s.orders, s.revenue_minor, s.as_of
  from sold s left join product_versions v on v.merchant_id = s.merchant_id and v.product_id = s.product_id
    and v.valid_from < s.day_end and (v.valid_to is null or v.valid_to >= s.day_end)
  union all
  select null, null, null, '', null, null, 0, currency, impressions, clicks, conversions,
    ads.spend_micros - coalesce(shared.spend_micros, 0), 0, 0, as_of
  from ads left join shared using (day, ad_network_id, campaign_id, currency)
`;
