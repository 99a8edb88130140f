/** A stack that cannot start. */
export function startTestingStack(): Promise<never> {
  return Promise.reject(new Error('port in use'));
}
