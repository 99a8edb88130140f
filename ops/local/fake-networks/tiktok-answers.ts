import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { NetworkContext } from './faults.ts';
import type { Owner } from './object-store.ts';

/** TikTok answers HTTP 200 whatever happened; `code` 0 is the only success. */
export const answer = (code: number, message: string, data: unknown = {}): Response =>
  Response.json({ code, message, request_id: randomUUID(), data });
export const ok = (data: unknown): Response => answer(0, 'OK', data);

export const page = z.looseObject({
  advertiser_id: z.string(),
  filtering: z.string().optional(),
  page: z.coerce.number().int().min(1).default(1),
  page_size: z.coerce.number().int().min(1).max(1_000).default(10),
});
export const pageOf = <T>(all: readonly T[], at: number, size: number) => ({
  list: all.slice((at - 1) * size, at * size),
  page_info: {
    page: at,
    page_size: size,
    total_number: all.length,
    total_page: Math.max(1, Math.ceil(all.length / size)),
  },
});

export const operationOf: Readonly<Record<string, string>> = { ACTIVE: 'ENABLE', PAUSED: 'DISABLE', ENDED: 'DELETE' };

/** Ahead of every route: who calls, on which account, and what is to go wrong. */
export type TiktokCall = <T extends z.ZodType>(
  c: NetworkContext,
  schema: T,
  work: (owner: Owner, value: z.infer<T>) => Response,
) => Promise<Response>;
