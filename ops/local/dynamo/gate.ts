/**
 * Either any number of ordinary requests are inside, or one transaction. A transaction that waits holds back later
 * requests, so that a steady stream of them cannot starve it.
 */
export interface Gate {
  /** Resolves with the function that leaves again. */
  enter(): Promise<() => void>;
  alone<T>(run: () => Promise<T>): Promise<T>;
}

export function createGate(): Gate {
  let inside = 0;
  let transactions: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let onEmpty: (() => void) | undefined;

  const isHeld = () => waiting > 0;
  const leave = () => {
    inside -= 1;
    if (inside === 0) onEmpty?.();
  };

  return {
    async enter() {
      // Again and again: while it waited, another transaction may have come.
      while (isHeld()) await transactions;
      inside += 1;
      return leave;
    },
    alone(run) {
      waiting += 1;
      const turn = transactions.then(async () => {
        try {
          if (inside > 0) await new Promise<void>((resolve) => (onEmpty = resolve));
          onEmpty = undefined;
          return await run();
        } finally {
          waiting -= 1;
        }
      });
      transactions = turn.catch(() => {});
      return turn;
    },
  };
}
