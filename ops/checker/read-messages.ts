import { z } from 'zod';
import type { AcceptedMessage } from './evidence.ts';

const answer = z.object({
  messages: z.array(z.object({ channel: z.string(), to: z.array(z.string()), tag: z.string().nullable() })),
});

/** The fake mailbox's append-only log of the messages that it took. */
export async function readMessages(url: string): Promise<AcceptedMessage[]> {
  const response = await fetch(`${url}/mailbox/messages`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`the fake mailbox answers ${response.status}`);
  return answer.parse(await response.json()).messages;
}
