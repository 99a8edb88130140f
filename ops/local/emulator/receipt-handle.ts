import { randomUUID } from 'node:crypto';

/** Names the queue and the message, so that a handle of another queue, or no handle at all, is told from an old one. */
export function issueReceiptHandle(queueName: string, messageId: string): string {
  return Buffer.from(`${queueName}\n${messageId}\n${randomUUID()}`).toString('base64url');
}

/** The id of the message that a handle was issued for by this queue, if it was. */
export function messageOfReceiptHandle(queueName: string, handle: string): string | undefined {
  const [name, messageId, nonce, ...rest] = Buffer.from(handle, 'base64url').toString('utf8').split('\n');
  return name === queueName && nonce?.length === 36 && rest.length === 0 ? messageId : undefined;
}
