import { adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import type { Random } from './random.ts';

/** A merchant's orders, each told of as a whole whenever it changes: placed, partly refunded, cancelled, met by a late ad. */
export interface OrderEvents {
  next(atMs: number): Record<string, unknown>;
}

interface Order {
  readonly orderId: string;
  readonly orderedAt: string;
  readonly totalMinor: number;
  status: 'placed' | 'cancelled';
  refundedMinor: number;
  touches: Record<string, unknown>[];
}

const hourMs = 3_600_000;
/** Beyond the click window of seven days, so that some touches came too early to count. */
const touchedWithinHours = 240;
const remembered = 50;

export function orderEvents(random: Random, currency: string): OrderEvents {
  const orders: Order[] = [];
  let placed = 0;
  return {
    next(atMs) {
      const known = random.chance(0.2) ? orders[random.below(orders.length)] : undefined;
      if (known === undefined) placed += 1;
      const order = known ?? place(random, placed, atMs);
      if (known !== undefined) change(random, known);
      else if (orders.push(order) > remembered) orders.shift();
      return {
        ...order,
        touches: [...order.touches],
        currency,
        timestamp: new Date(atMs).toISOString(),
      };
    },
  };
}

function place(random: Random, number: number, atMs: number): Order {
  return {
    orderId: `order-${number}`,
    orderedAt: new Date(atMs).toISOString(),
    totalMinor: 100 + random.below(30_000),
    status: 'placed',
    refundedMinor: 0,
    touches: Array.from({ length: random.below(4) }, () => touch(random, atMs)),
  };
}

function change(random: Random, order: Order): void {
  const kind = random.next();
  if (kind < 0.5) order.refundedMinor += random.below(order.totalMinor - order.refundedMinor + 1);
  else if (kind < 0.7) order.status = 'cancelled';
  else order.touches.push(touch(random, Date.parse(order.orderedAt)));
}

const touch = (random: Random, orderedMs: number): Record<string, unknown> => ({
  adNetworkId: random.pick(adNetworkIds),
  campaignId: `cmp-${1 + random.below(2)}`,
  kind: random.chance(0.7) ? 'click' : 'view',
  at: new Date(orderedMs - random.below(touchedWithinHours) * hourMs).toISOString(),
});
