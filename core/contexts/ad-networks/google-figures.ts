import { z } from 'zod';
import type { DayFigures, DayRange } from './network.ts';

const int64 = z.coerce.number().int().min(0).default(0);

/** What a report selects beside what its rows are of. */
export const GOOGLE_FIGURES =
  'segments.date, metrics.impressions, metrics.clicks, metrics.conversions, metrics.cost_micros';

export const googleDays = ({ from, to }: DayRange): string => `segments.date BETWEEN '${from}' AND '${to}'`;

export const googleFigures = z.looseObject({
  segments: z.looseObject({ date: z.string() }),
  metrics: z.looseObject({
    impressions: int64,
    clicks: int64,
    conversions: z.number().default(0),
    costMicros: int64,
  }),
});

export const readGoogleFigures = ({ segments, metrics }: z.infer<typeof googleFigures>): DayFigures => ({
  date: segments.date,
  impressions: metrics.impressions,
  clicks: metrics.clicks,
  conversions: metrics.conversions,
  spendMicros: metrics.costMicros,
});
