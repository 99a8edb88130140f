import { z } from 'zod';

const ofQueue = z.object({
  deadLetterTargetArn: z.string(),
  // Both "5" and 5 are accepted, as AWS does.
  maxReceiveCount: z.coerce.number().int().min(1).max(1_000),
});
const ofSubscription = z.object({ deadLetterTargetArn: z.string() });

export type RedrivePolicy = z.infer<typeof ofQueue>;

/** The `RedrivePolicy` attribute of a queue. */
export function parseRedrivePolicy(text: string | undefined): RedrivePolicy | undefined {
  return ofQueue.safeParse(parseJson(text)).data;
}

/** The ARN in the `RedrivePolicy` attribute of a subscription. */
export function parseDeadLetterTarget(text: string | undefined): string | undefined {
  return ofSubscription.safeParse(parseJson(text)).data?.deadLetterTargetArn;
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
