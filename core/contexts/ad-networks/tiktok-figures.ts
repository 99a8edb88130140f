import { z } from 'zod';
import type { DayFigures, DayRange } from './network.ts';
import { microsOfDecimal } from '../../money/currency.ts';

const text = z.string().default('0');

const metrics = z.looseObject({ impressions: text, clicks: text, conversion: text, spend: text });
const day = { stat_time_day: z.string() };
export const tiktokCampaignDay = z.looseObject({
  dimensions: z.looseObject({ campaign_id: z.string(), ...day }),
  metrics,
});
export const tiktokAdDay = z.looseObject({ dimensions: z.looseObject({ ad_id: z.string(), ...day }), metrics });

/** A basic report of each day, of campaigns or of ads. */
export const tiktokReport = (accountId: string, level: 'campaign' | 'ad', { from, to }: DayRange) => ({
  advertiser_id: accountId,
  report_type: 'BASIC',
  data_level: level === 'ad' ? 'AUCTION_AD' : 'AUCTION_CAMPAIGN',
  dimensions: [`${level}_id`, 'stat_time_day'],
  metrics: ['impressions', 'clicks', 'conversion', 'spend'],
  start_date: from,
  end_date: to,
});

export const readTiktokFigures = (row: {
  dimensions: { stat_time_day: string };
  metrics: z.infer<typeof metrics>;
}): DayFigures => ({
  date: row.dimensions.stat_time_day.slice(0, 10),
  impressions: Number(row.metrics.impressions),
  clicks: Number(row.metrics.clicks),
  conversions: Number(row.metrics.conversion),
  spendMicros: microsOfDecimal(row.metrics.spend),
});
