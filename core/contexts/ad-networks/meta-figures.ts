import { z } from 'zod';
import type { DayFigures, DayRange } from './network.ts';
import { microsOfDecimal } from '../../money/currency.ts';

const decimalText = z.string().default('0');
/** A purchase wherever it happened: the sum of what other action types list by place. */
const PURCHASE = 'omni_purchase';

export const metaFigures = z.looseObject({
  date_start: z.iso.date(),
  impressions: decimalText,
  clicks: decimalText,
  spend: decimalText,
  actions: z.array(z.looseObject({ action_type: z.string(), value: z.string() })).default([]),
});

/** Insights of each day, of campaigns or of ads. */
export const metaInsights = (level: 'campaign' | 'ad', { from, to }: DayRange): Record<string, string> => ({
  level,
  fields: `${level}_id,impressions,clicks,spend,actions`,
  time_range: JSON.stringify({ since: from, until: to }),
  time_increment: '1',
});

export const readMetaFigures = (row: z.infer<typeof metaFigures>): DayFigures => ({
  date: row.date_start,
  impressions: Number(row.impressions),
  clicks: Number(row.clicks),
  conversions: Number(row.actions.find(({ action_type: type }) => type === PURCHASE)?.value ?? 0),
  spendMicros: microsOfDecimal(row.spend),
});
