/**
 * What was started, to be stopped in the reverse order. Registered as each thing comes up, so that a start that fails
 * midway stops exactly what there is; a stop that fails does not keep the others from being stopped.
 */
export interface Teardown {
  /** What has a name is mentioned when it is stopped. */
  add(name: string | undefined, stop: () => Promise<void> | void): void;
  /** Idempotent: later calls get the first one's promise. Rejects at the end if anything could not be stopped. */
  run(): Promise<void>;
}

export function createTeardown(log: (line: string) => void): Teardown {
  const steps: { name: string | undefined; stop: () => Promise<void> | void }[] = [];
  let running: Promise<void> | undefined;

  const runAll = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      if (step.name !== undefined) log(`stopping ${step.name}`);
      try {
        await step.stop();
      } catch (error) {
        failures.push(new Error(`${step.name ?? 'something'} could not be stopped`, { cause: error }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'the stop was not clean');
  };
  return {
    add: (name, stop) => void steps.push({ name, stop }),
    run: () => (running ??= runAll()),
  };
}
