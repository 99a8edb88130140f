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
  const deadline = AbortSignal.timeout(Math.max(1, ms));
  const signal = parent === undefined ? deadline : AbortSignal.any([deadline, parent]);
  return await new Promise<T>((resolve, reject) => {
    const expire = () => {
      reject(
        parent?.aborted
          ? parent.reason
          : new LanewayError('handler.deadline', `${what} took longer than ${ms} ms`, { retry: 'backoff' }),
      );
    };
    if (signal.aborted) return expire();
    signal.addEventListener('abort', expire, { once: true });
    work(signal)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', expire));
  });
}
