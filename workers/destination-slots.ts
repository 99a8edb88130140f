import type { EffectKey } from './effect-lane.ts';

/**
 * How many effect lanes of one destination this process works at a time. A destination that hangs keeps the slots it has
 * and no more: the lanes that find it full give their slot to other destinations and wait here to be woken, in order.
 *
 *   lane: (none) ─enter─► inside ─leave─► (none)
 *           └─enter, full─► waiting ─somebody leaves─► woken
 *
 * What waits here is also due in Postgres, later: it is forgotten without harm, by a crash or beyond the bound.
 */
export interface DestinationSlots {
  /** False when the destination is full; the lane is then woken when there is room. */
  enter(key: EffectKey): boolean;
  /** Gives the slot up; answers with the lane to wake for it. */
  leave(destination: string): EffectKey | undefined;
  readonly waiting: number;
}

const MAX_WAITING = 10_000;

export function createDestinationSlots(capacityOf: (destination: string) => number): DestinationSlots {
  const inside = new Map<string, number>();
  const waiting = new Map<string, Map<string, EffectKey>>();
  let waitingLanes = 0;

  return {
    get waiting() {
      return waitingLanes;
    },
    enter(key) {
      const { destination, merchantId } = key;
      const count = inside.get(destination) ?? 0;
      if (count < capacityOf(destination)) {
        inside.set(destination, count + 1);
        return true;
      }
      const lanes = waiting.get(destination) ?? new Map<string, EffectKey>();
      if (waitingLanes >= MAX_WAITING || lanes.has(merchantId)) return false;
      waiting.set(destination, lanes.set(merchantId, key));
      waitingLanes += 1;
      return false;
    },
    leave(destination) {
      const count = (inside.get(destination) ?? 1) - 1;
      if (count === 0) inside.delete(destination);
      else inside.set(destination, count);
      const lanes = waiting.get(destination);
      const next = lanes?.entries().next().value;
      if (lanes === undefined || next === undefined) return undefined;
      const [merchantId, key] = next;
      lanes.delete(merchantId);
      if (lanes.size === 0) waiting.delete(destination);
      waitingLanes -= 1;
      return key;
    },
  };
}
