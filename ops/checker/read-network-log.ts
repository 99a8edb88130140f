import { z } from 'zod';
import { objectKinds } from '../local/fake-networks/object-store.ts';
import type { NetworkCall } from './evidence.ts';

const answer = z.object({
  calls: z.array(
    z.object({
      network: z.string(),
      account: z.string(),
      kind: z.enum(objectKinds),
      op: z.enum(['create', 'update']),
      id: z.string(),
      body: z.record(z.string(), z.unknown()),
    }),
  ),
});

/** The fake networks' append-only log of the calls on campaigns, ad sets and ads that took effect. */
export async function readNetworkLog(url: string): Promise<NetworkCall[]> {
  const response = await fetch(`${url}/_log`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`the fake networks answer ${response.status}`);
  return answer
    .parse(await response.json())
    .calls.flatMap(({ kind, ...call }) =>
      kind === 'campaign' || kind === 'ad_set' || kind === 'ad' ? { ...call, kind } : [],
    );
}
