import type { Message } from './message.ts';
import type { ReadyMessages } from './queue.ts';

/** The visible messages of a standard queue, in the order in which they became visible. */
export class StandardOrder implements ReadyMessages {
  readonly #ready = new Map<string, Message>();

  add(message: Message): void {
    this.#ready.set(message.messageId, message);
  }

  take(max: number, accept: (message: Message) => boolean): Message[] {
    const taken: Message[] = [];
    for (const [id, message] of this.#ready) {
      if (taken.length >= max) break;
      this.#ready.delete(id);
      if (accept(message)) taken.push(message);
    }
    return taken;
  }

  leaveFlight(): void {}

  withdraw(max: number): Message[] {
    const withdrawn = [...this.#ready.values().take(max)];
    for (const { messageId } of withdrawn) this.#ready.delete(messageId);
    return withdrawn;
  }

  remove(message: Message): void {
    this.#ready.delete(message.messageId);
  }
}
