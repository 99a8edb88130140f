import { z } from 'zod';
import { type ReadRefusal, type Refusal, byStatus } from './http.ts';

const answered = z.looseObject({ code: z.int(), message: z.string().default('') });

/** HTTP says 200 whatever happened: `code` decides. What is not here is refused for good. */
const kinds: Readonly<Record<number, Refusal['kind']>> = {
  // A part of the change was made.
  20001: 'unknown',
  40001: 'unauthorized',
  40104: 'unauthorized',
  40105: 'unauthorized',
  // Another call with this request id is under way or was made.
  40050: 'unknown',
  40100: 'limited',
  40133: 'limited',
  40202: 'conflict',
  50000: 'unknown',
};
/** After a breach of the limit of the minute it refuses for five; of the second, for less. */
const RETRY_AFTER_MS: Readonly<Record<number, number>> = { 40100: 300_000, 40133: 10_000 };

export const readTiktokRefusal: ReadRefusal = (answer) => {
  const body = answered.safeParse(answer.json);
  if (!body.success) return byStatus(answer);
  const { code, message } = body.data;
  if (code === 0) return undefined;
  const kind = kinds[code] ?? (code >= 50_000 ? 'unknown' : 'rejected');
  return { kind, said: `${code}: ${message.slice(0, 300)}`, retryAfterMs: RETRY_AFTER_MS[code] };
};
