import type { Message } from './message.ts';
import type { ReadyMessages } from './queue.ts';

interface Group {
  /** By sequence number. */
  readonly ready: Message[];
  inFlight: number;
}

/**
 * The visible messages of a FIFO queue.
 *
 * A group is *open* (it has ready messages and none in flight), *locked* (some are in flight; nothing of it is handed
 * out, or a later message could overtake an earlier one), or gone. A receive takes up to ten messages in order from
 * one open group and goes on with the next until it has enough. Groups are served in the order in which they opened.
 */
export class FifoOrder implements ReadyMessages {
  readonly #groups = new Map<string, Group>();
  readonly #open = new Set<string>();

  add(message: Message): void {
    const id = groupOf(message);
    const group = this.#groups.get(id) ?? { ready: [], inFlight: 0 };
    this.#groups.set(id, group);
    // Nearly always the last place; a message that returns from flight goes before those sent after it.
    let place = group.ready.length;
    while (place > 0 && sequenceOf(group.ready[place - 1]) > sequenceOf(message)) place -= 1;
    group.ready.splice(place, 0, message);
    if (group.inFlight === 0) this.#open.add(id);
  }

  take(max: number, accept: (message: Message) => boolean): Message[] {
    const taken: Message[] = [];
    for (const id of this.#open) {
      if (taken.length >= max) break;
      const group = this.#groups.get(id);
      if (group === undefined) continue;
      while (taken.length < max) {
        const message = group.ready.shift();
        if (message === undefined) break;
        if (!accept(message)) continue;
        group.inFlight += 1;
        taken.push(message);
      }
      this.#settle(id, group);
    }
    return taken;
  }

  leaveFlight(message: Message): void {
    const id = groupOf(message);
    const group = this.#groups.get(id);
    if (group === undefined) return;
    group.inFlight -= 1;
    this.#settle(id, group);
  }

  remove(message: Message): void {
    const id = groupOf(message);
    const group = this.#groups.get(id);
    const place = group?.ready.indexOf(message) ?? -1;
    if (group === undefined || place < 0) return;
    group.ready.splice(place, 1);
    this.#settle(id, group);
  }

  withdraw(max: number): Message[] {
    const withdrawn: Message[] = [];
    for (const id of this.#open) {
      if (withdrawn.length >= max) break;
      const group = this.#groups.get(id);
      if (group === undefined) continue;
      withdrawn.push(...group.ready.splice(0, max - withdrawn.length));
      this.#settle(id, group);
    }
    return withdrawn;
  }

  #settle(id: string, group: Group): void {
    if (group.inFlight === 0 && group.ready.length > 0) {
      this.#open.add(id);
      return;
    }
    this.#open.delete(id);
    if (group.inFlight === 0) this.#groups.delete(id);
  }
}

const groupOf = (message: Message) => message.messageGroupId ?? '';
const sequenceOf = (message: Message | undefined) => message?.sequenceNumber ?? '';
