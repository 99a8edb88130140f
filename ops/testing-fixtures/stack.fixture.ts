import { writeFileSync } from 'node:fs';

/** Stands in for ops/testing-stack.ts: says in a file that it was stopped. */
export function startTestingStack(): Promise<{ env: Record<string, string>; stop: () => Promise<void> }> {
  // like a server would, this keeps the runner's event loop alive
  setInterval(() => undefined, 60_000);
  return Promise.resolve({
    env: { STACK_FIXTURE_URL: 'http://127.0.0.1:1' },
    stop: () => {
      writeFileSync(process.env['STACK_FIXTURE_STOPPED'] ?? '', 'stopped');
      return Promise.resolve();
    },
  });
}
