import { z } from 'zod';
import { LanewayError } from '../../runtime/errors.ts';
import { AnswerTooLarge, readBounded } from '../../runtime/read-bounded.ts';

export interface ChangesPage {
  /** As they were told: each is checked on its own. */
  changes: readonly unknown[];
  /** Where the next page begins, also when there is none yet. */
  next: string | null;
  more: boolean;
}

/** Reads one page. Throws `effect.*` errors; nothing is ever changed by it, so that no outcome is unknown. */
export type FetchChanges = (
  request: { merchantId: string; cursor: string | null; correlationId: string },
  signal: AbortSignal,
) => Promise<ChangesPage>;

const PAGE = 500;
const MAX_BYTES = 16_777_216;

const answer = z.looseObject({
  changes: z.array(z.unknown()).max(PAGE),
  nextCursor: z.string().min(1).max(500).nullable(),
  hasMore: z.boolean(),
});

export const createFetchChanges =
  ({ baseUrl, token }: { baseUrl: string; token: string }): FetchChanges =>
  async ({ merchantId, cursor, correlationId }, signal) => {
    const url = new URL(`${baseUrl}/merchants/${encodeURIComponent(merchantId)}/product-changes`);
    url.searchParams.set('limit', String(PAGE));
    if (cursor !== null) url.searchParams.set('cursor', cursor);
    let response: Response;
    try {
      response = await fetch(url, {
        signal,
        redirect: 'error',
        headers: { authorization: `Bearer ${token}`, 'x-correlation-id': correlationId },
      });
    } catch (error) {
      throw unavailable('did not answer', error);
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw refused(response);
    }
    const page = answer.safeParse(await readJson(response));
    if (!page.success) throw unavailable('answered something that it does not document', page.error);
    const { changes, nextCursor, hasMore } = page.data;
    return { changes, next: nextCursor ?? cursor, more: hasMore };
  };

async function readJson(response: Response): Promise<unknown> {
  try {
    return JSON.parse(await readBounded(response, MAX_BYTES));
  } catch (error) {
    if (!(error instanceof AnswerTooLarge)) throw unavailable('broke off its answer', error);
    throw new LanewayError('effect.rejected', `the core platform answered with more than ${MAX_BYTES} bytes`);
  }
}

const unavailable = (what: string, cause: unknown) =>
  new LanewayError('effect.unavailable', `the core platform ${what}`, { retry: 'backoff', cause });

function refused({ status, headers }: Response): LanewayError {
  const message = `the core platform answered ${status}`;
  const seconds = Number(headers.get('retry-after') ?? 0);
  const options = { retry: 'backoff', detail: seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {} } as const;
  if (status === 429) return new LanewayError('effect.limited', message, options);
  if (status === 401 || status === 403) return new LanewayError('effect.unauthorized', message, options);
  if (status >= 500) return new LanewayError('effect.unavailable', message, options);
  return new LanewayError('effect.rejected', message);
}
