import { type Transaction, sql } from 'kysely';
import { type RuleDefinition, ruleDefinition } from './judge.ts';
import type { Database } from '../../../database/tables.ts';
import { LanewayError } from '../../../runtime/errors.ts';

export interface Rule {
  ruleId: string;
  name: string;
  enabled: boolean;
  definition: RuleDefinition;
  createdAt: Date;
  updatedAt: Date;
}

export const MAX_RULES = 50;

/** By id. */
export async function listRules(trx: Transaction<Database>, merchantId: string): Promise<Rule[]> {
  const rows = await trx
    .selectFrom('campaign_rules')
    .selectAll()
    .where('merchant_id', '=', merchantId)
    .orderBy('rule_id')
    .limit(MAX_RULES)
    .execute();
  return rows.map((row) => ({
    ruleId: row.rule_id,
    name: row.name,
    enabled: row.enabled,
    definition: ruleDefinition.parse(row.definition),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }));
}

/**
 * Makes a rule or changes it; one that looks at something else begins anew with every campaign. Throws `campaigns.too_many_rules`
 * for one more than the merchant may have.
 */
export async function saveRule(
  trx: Transaction<Database>,
  merchantId: string,
  { ruleId, name, enabled, definition }: Pick<Rule, 'ruleId' | 'name' | 'enabled' | 'definition'>,
  nowMs: number,
): Promise<void> {
  const now = new Date(nowMs);
  const fields = { name, enabled, definition: JSON.stringify(definition), updated_at: now };
  const rules = await listRules(trx, merchantId);
  const before = rules.find((rule) => rule.ruleId === ruleId);
  if (before === undefined && rules.length >= MAX_RULES)
    throw new LanewayError('campaigns.too_many_rules', `There are ${MAX_RULES} rules; delete one first.`);
  await trx
    .insertInto('campaign_rules')
    .values({ merchant_id: merchantId, rule_id: ruleId, created_at: now, ...fields })
    .onConflict((conflict) => conflict.columns(['merchant_id', 'rule_id']).doUpdateSet(fields))
    .execute();
  if (before !== undefined && JSON.stringify(before.definition) !== fields.definition)
    await trx
      .deleteFrom('campaign_rule_states')
      .where('merchant_id', '=', merchantId)
      .where('rule_id', '=', ruleId)
      .execute();
}

/** Campaigns that the rule has paused stay so. False when there is no such rule. */
export async function deleteRule(trx: Transaction<Database>, merchantId: string, ruleId: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('campaign_rules')
    .where('merchant_id', '=', merchantId)
    .where('rule_id', '=', ruleId)
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}

export interface RuleState {
  campaignId: string;
  tripped: boolean;
  /** When it tripped or was armed again, and the figure then. */
  value: number | null;
  changedAt: Date;
}

/** Campaigns for which the rule has tripped, or did before; the latest first, at most 500. */
export async function readRuleStates(
  trx: Transaction<Database>,
  merchantId: string,
  ruleId: string,
): Promise<RuleState[]> {
  const { rows } = await sql<RuleState>`
    select campaign_id as "campaignId", tripped, value, changed_at as "changedAt" from campaign_rule_states
    where merchant_id = ${merchantId} and rule_id = ${ruleId} order by changed_at desc, campaign_id limit 500
  `.execute(trx);
  return rows;
}
