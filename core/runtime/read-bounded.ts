export class AnswerTooLarge extends Error {
  constructor(maxBytes: number) {
    super(`the answer is over ${maxBytes} bytes`);
  }
}

/** The body of an answer as text. Whoever answers may send anything: throws `AnswerTooLarge` instead of holding more. */
export async function readBounded(response: Response, maxBytes: number): Promise<string> {
  let size = 0;
  const parts: Uint8Array[] = [];
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const part of body ?? []) {
    size += part.byteLength;
    if (size > maxBytes) throw new AnswerTooLarge(maxBytes);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
