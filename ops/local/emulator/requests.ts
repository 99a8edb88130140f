import { z } from 'zod';
import { SqsError } from './fauxqs-internals.ts';

/** A request body of SQS's JSON protocol. What a schema does not name is ignored. */
export function decode<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  const missing = issue?.code === 'invalid_type' && issue.message.endsWith('received undefined');
  throw missing
    ? new SqsError('MissingParameter', `The request must contain the parameter ${field}.`)
    : new SqsError('InvalidParameterValue', `The parameter ${field} is invalid: ${issue?.message}`);
}

export const messageAttributes = z.record(
  z.string(),
  z.object({ DataType: z.string(), StringValue: z.string().optional(), BinaryValue: z.string().optional() }),
);

const batchId = /^[A-Za-z0-9_-]{1,80}$/;

/** The rules that every batch request of SQS obeys, in AWS's order. */
export function refuseFaultyBatch(entries: readonly { readonly Id: string }[]): void {
  if (entries.length === 0) {
    throw new SqsError('EmptyBatchRequest', 'There should be at least one entry in the request.');
  }
  if (entries.length > 10) {
    throw new SqsError('TooManyEntriesInBatchRequest', 'Maximum number of entries per request are 10.');
  }
  if (entries.some(({ Id }) => !batchId.test(Id))) {
    throw new SqsError(
      'InvalidBatchEntryId',
      'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
    );
  }
  if (new Set(entries.map(({ Id }) => Id)).size < entries.length) {
    throw new SqsError('BatchEntryIdsNotDistinct', 'Two or more batch entries have the same Id in the request.');
  }
}

/** Runs each entry on its own: one that is refused does not hold up the others. */
export function eachOfBatch<E extends { readonly Id: string }>(entries: readonly E[], act: (entry: E) => object) {
  const Successful: object[] = [];
  const Failed: object[] = [];
  for (const entry of entries) {
    try {
      Successful.push({ Id: entry.Id, ...act(entry) });
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      Failed.push({ Id: entry.Id, SenderFault: error.senderFault, Code: error.code, Message: error.message });
    }
  }
  return { Successful, ...(Failed.length > 0 ? { Failed } : {}) };
}
