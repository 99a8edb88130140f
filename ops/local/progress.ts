/** What a person sees of the preparation: one line for each step, on standard error, so that standard output stays data. */
export interface Progress {
  /** Runs `work` and says how long it took. `describe` may name what came of it. */
  step<T>(name: string, work: () => Promise<T>, describe?: (result: T) => string): Promise<T>;
  note: (line: string) => void;
}

export function createProgress(write: (line: string) => void = writeLine): Progress {
  return {
    async step(name, work, describe) {
      const startedAt = performance.now();
      const seconds = () => `(${((performance.now() - startedAt) / 1_000).toFixed(1)} s)`;
      try {
        const result = await work();
        write(`✓ ${describe?.(result) ?? name} ${seconds()}`);
        return result;
      } catch (error) {
        write(`✗ ${name} ${seconds()}`);
        throw error;
      }
    },
    note: (line) => write(`  ${line}`),
  };
}

const writeLine = (line: string): void => void process.stderr.write(`${line}\n`);

export const thousands = (count: number): string => count.toLocaleString('en-US');

/** An error and what caused it, one line each, without stacks: this is read by whoever typed `npm start`. */
export function explain(error: unknown): string {
  const lines: string[] = [];
  for (let at = error; at !== undefined && lines.length < 6; at = at instanceof Error ? at.cause : undefined) {
    lines.push(messageOf(at));
  }
  return lines.filter((line) => line !== '').join('\n  because: ');
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError)
    return [thrown.message, ...thrown.errors.map(explain)].filter(Boolean).join('\n');
  return thrown instanceof Error ? thrown.message : JSON.stringify(thrown);
}
