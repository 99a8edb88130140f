import { z } from 'zod';
import { createRandom } from '../load/random.ts';

/** What goes wrong on purpose with ad networks, mail and SMS. */
export interface PartnerTroubles {
  /** Lets what is due by so many events begin. */
  upTo(sent: number): void;
  /** Waits for what was begun, ends it, and counts the calls that took effect and got no answer. */
  end(): Promise<{ droppedCalls: number; droppedMessages: number }>;
}

const every = 40;
const networkKinds = [
  'commit_then_drop',
  'commit_then_500',
  'commit_then_drop',
  'error500',
  'error429',
  'conflict',
  'token_expired',
] as const;
const messageKinds = ['commit_then_drop', 'internal', 'throttled'] as const;
/** Listings of a network show what was made only so much later. */
const lagMs = 1_500;

const kept = z.object({ faults: z.array(z.object({ kind: z.string(), times: z.int() })) });

export async function troublePartners(url: string, seed: number): Promise<PartnerTroubles> {
  const random = createRandom(seed);
  const posts: Promise<unknown>[] = [];
  const dropped = { calls: 0, messages: 0 };
  let begun = 0;
  const post = async (path: string, body: unknown): Promise<void> => {
    const answer = await fetch(`${url}/_control/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`the fakes refuse ${path}: ${await answer.text()}`);
  };
  const left = async (path: string): Promise<number> => {
    const answer = await fetch(`${url}/_control/${path}`, { signal: AbortSignal.timeout(10_000) });
    const { faults } = kept.parse(await answer.json());
    return faults.filter(({ kind }) => kind.startsWith('commit_then')).length;
  };
  await post('lag', { network: 'meta', ms: lagMs });
  return {
    upTo(sent) {
      for (; begun * every < sent; begun++) {
        const network = random.pick(networkKinds);
        const message = random.pick(messageKinds);
        if (network.startsWith('commit_then')) dropped.calls += 1;
        if (message.startsWith('commit_then')) dropped.messages += 1;
        posts.push(post('faults', [{ kind: network, times: 1 }]));
        posts.push(post('message-faults', [{ service: random.pick(['email', 'sms']), kind: message, times: 1 }]));
      }
    },
    async end() {
      await Promise.all(posts);
      const unused = { calls: await left('faults'), messages: await left('message-faults') };
      for (const path of ['faults', 'message-faults'])
        await fetch(`${url}/_control/${path}`, { method: 'DELETE', signal: AbortSignal.timeout(10_000) });
      return {
        droppedCalls: dropped.calls - unused.calls,
        droppedMessages: dropped.messages - unused.messages,
      };
    },
  };
}
