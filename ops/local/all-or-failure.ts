/**
 * Like `Promise.all`, but rejects only once all have ended: whoever cleans up after a failure must not do so under the feet
 * of what is still running.
 */
export async function allOrFailure<T extends readonly Promise<unknown>[]>(
  work: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const failures = (await Promise.allSettled(work)).flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures);
  return await Promise.all(work);
}
