/**
 * Counts what was received and not yet handled, against a cap in messages and in bytes. A receive that began below the cap
 * may go over it by what it brings, ten messages at most: the bound is the cap and ten messages for each open receive.
 */
export interface InFlight {
  readonly full: boolean;
  readonly messages: number;
  readonly bytes: number;
  /** Counts a batch until the function it returns is called. */
  begin(messages: number, bytes: number): () => void;
  /** Resolves when a batch has ended, or when `signal` fires: whoever waits looks at both again. */
  change(signal: AbortSignal): Promise<void>;
}

export function createInFlight({ maxMessages, maxBytes }: { maxMessages: number; maxBytes: number }): InFlight {
  const waiting = new Set<() => void>();
  let messages = 0;
  let bytes = 0;
  return {
    get full() {
      return messages >= maxMessages || bytes >= maxBytes;
    },
    get messages() {
      return messages;
    },
    get bytes() {
      return bytes;
    },
    begin(count, size) {
      messages += count;
      bytes += size;
      return () => {
        messages -= count;
        bytes -= size;
        for (const wake of [...waiting]) wake();
      };
    },
    change: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const wake = () => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      }),
  };
}
