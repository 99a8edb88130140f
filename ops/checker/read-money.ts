import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { ProgramTerms } from './recompute-commissions.ts';
import type { PlanHistory, PriceList } from './recompute-invoices.ts';

/** What the system holds about money, and the terms by which it can be recomputed. Reads tables, shares no code. */
export interface MoneyHeld {
  /** `merchant period currency` */
  invoices: Map<string, number>;
  /** `merchant affiliate currency`; payouts left out, since they move what is owed and do not change what was earned. */
  commissions: Map<string, number>;
  /** Invoices whose lines do not add up to their total. */
  crooked: string[];
  plans: Map<string, PlanHistory>;
  standard: PriceList;
  programs: Map<string, ProgramTerms>;
}

export async function readMoney(db: Kysely<Database>, standardPlan = 'starter'): Promise<MoneyHeld> {
  const all = async <T>(query: ReturnType<typeof sql<T>>): Promise<T[]> => (await query.execute(db)).rows;
  const invoices = await all(sql<{ key: string; total: string; lines: string }>`
    select merchant_id || ' ' || billing_period || ' ' || currency as key, total_minor::text as total,
      (select coalesce(sum((line->>'amountMinor')::bigint), 0)::text from jsonb_array_elements(lines) as line) as lines
    from invoices`);
  const commissions = await all(sql<{ key: string; owed: string }>`
    select merchant_id || ' ' || affiliate_id || ' ' || currency as key,
      sum(case kind when 'commission' then amount_minor when 'clawback' then -amount_minor else 0 end)::text as owed
    from affiliate_transfers group by 1`);
  const plans = await all(sql<{ merchantId: string; fromDay: string; plan: PriceList | null }>`
    select merchant_id as "merchantId", from_day::text as "fromDay", case when plan_id is not null then ${planJson} end as plan
    from billing_subscriptions left join billing_plans using (plan_id) order by from_day`);
  const [standard] = await all(sql<{ plan: PriceList }>`
    select ${planJson} as plan from billing_plans where plan_id = ${standardPlan}`);
  if (standard === undefined) throw new Error(`there is no plan ${standardPlan}`);
  const affiliates = await all(sql<{
    merchantId: string;
    affiliateId: string;
    commissionPpm: number;
    customer: string | null;
    windowDays: number;
    rule: ProgramTerms['rule'];
  }>`
    select a.merchant_id as "merchantId", affiliate_id as "affiliateId", commission_ppm as "commissionPpm",
      encode(customer_subject, 'hex') as customer, coalesce(window_days, 30) as "windowDays", coalesce(rule, 'last_click') as rule
    from affiliates a left join affiliate_programs p on p.merchant_id = a.merchant_id where state = 'active'`);
  const programs = [...Map.groupBy(affiliates, ({ merchantId }) => merchantId)].map(
    ([merchantId, group]): [string, ProgramTerms] => [
      merchantId,
      { windowDays: group[0]?.windowDays ?? 30, rule: group[0]?.rule ?? 'last_click', affiliates: group },
    ],
  );
  return {
    invoices: new Map(invoices.filter(({ total }) => total !== '0').map(({ key, total }) => [key, Number(total)])),
    commissions: new Map(commissions.map(({ key, owed }) => [key, Number(owed)])),
    crooked: invoices.filter(({ total, lines }) => total !== lines).map(({ key }) => key),
    plans: new Map(Map.groupBy(plans, ({ merchantId }) => merchantId)),
    standard: standard.plan,
    programs: new Map(programs),
  };
}

const planJson = sql`jsonb_build_object('planId', plan_id, 'currency', currency, 'baseFeeMinor', base_fee_minor,
  'includedClicks', included_clicks, 'clickThousandMinor', click_thousand_minor, 'spendFeePpm', spend_fee_ppm)`;
