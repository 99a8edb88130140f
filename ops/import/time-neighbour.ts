import { createHmac } from 'node:crypto';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import type { Stack } from '../local/stack-file.ts';

const LATE_MS = 60_000;

/**
 * Milliseconds from a merchant's signed webhook until the catalog shows the product; undefined when it takes over a minute.
 * Throws when the webhook is refused.
 */
export async function timeNeighbour(
  stack: Stack,
  merchant: Stack['merchants'][number],
  productId: string,
): Promise<number | undefined> {
  const began = clock.now();
  const change = { changeId: productId, productId, operationType: 'create', timestamp: new Date(began).toISOString() };
  const body = JSON.stringify({ merchantId: merchant.id, changes: [change] });
  const timestamp = String(Math.floor(began / 1_000));
  const signature = createHmac('sha256', stack.corePlatformSecret).update(`${timestamp}.${body}`).digest('hex');
  const sent = await fetch(`${stack.gatewayUrl}/webhooks/core-platform/products`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-laneway-timestamp': timestamp,
      'x-laneway-signature': `v1=${signature}`,
    },
    body,
    signal: AbortSignal.timeout(LATE_MS),
  });
  if (!sent.ok) throw new Error(`the webhook was refused: ${sent.status} ${await sent.text()}`);
  while (clock.now() - began < LATE_MS) {
    const found = await fetch(`${stack.gatewayUrl}/v1/products/${productId}`, {
      headers: { authorization: `Bearer ${merchant.apiKey}` },
      signal: AbortSignal.timeout(LATE_MS),
    });
    await found.body?.cancel();
    if (found.ok) return clock.now() - began;
    await clock.sleep(20);
  }
  return undefined;
}
