import { LanewayError } from './errors.ts';

/**
 * Runs `work` with an AbortSignal that fires after `ms`, and rejects then even if `work` ignores the signal. The caller
 * owns what `work` may still be doing (destroy its connection): a promise cannot be stopped from outside.
 */
export async function withDeadline<T>(
  what: string,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  parent?: AbortSignal,
): Promise<T> {
  if (parent?.aborted) throw parent.reason;
  // A controller and a timer that end with the work: the platform's own signals live until they fire, and putting two of
  // them together costs more than many of the calls that are guarded.
  const controller = new AbortController();
  const givenUp = Promise.withResolvers<never>();
  const giveUp = (reason: unknown): void => {
    givenUp.reject(reason);
    controller.abort(reason);
  };
  const stop = (): void => giveUp(parent?.reason);
  const expire = (): void =>
    giveUp(new LanewayError('handler.deadline', `${what} took longer than ${ms} ms`, { retry: 'backoff' }));
  const timer = setTimeout(expire, Math.max(1, ms));
  parent?.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work(controller.signal), givenUp.promise]);
  } finally {
    clearTimeout(timer);
    parent?.removeEventListener('abort', stop);
  }
}
