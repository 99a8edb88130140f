import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** What was measured and simulated last: `npm run scale -- --measure --simulate` writes it, docs/scale.md is made from it. */
const schema = z.object({
  sizes: z.object({
    events: z.number(),
    merchants: z.number(),
    postgresBytesPerEvent: z.number(),
    postgresBytesPerMerchant: z.number(),
    redisKeysAtRest: z.number(),
  }),
  simulations: z.array(
    z.object({
      name: z.string(),
      merchants: z.number(),
      eventsPerSecond: z.number(),
      seconds: z.number(),
      processors: z.number(),
      noisyBacklog: z.number(),
      merchantsServed: z.number(),
      events: z.number(),
      convoys: z.number(),
      activations: z.number(),
      utilisation: z.number(),
      quietP50Ms: z.number(),
      quietP99Ms: z.number(),
      quietMaxMs: z.number(),
      noisyDoneSeconds: z.number(),
      open: z.number(),
    }),
  ),
});

export type Figures = z.infer<typeof schema>;
export type SimulationFigures = Figures['simulations'][number];

const file = new URL('figures.json', import.meta.url);

export const readFigures = (): Figures => schema.parse(JSON.parse(readFileSync(file, 'utf8')));
export const writeFigures = (figures: Figures): void => writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
