/** Whole lines of an upload, as they are kept together. */
export interface LinePart {
  body: Buffer;
  lines: number;
}

export class LineTooLong extends Error {}

const NEWLINE = 0x0a;

/**
 * Cuts a stream of bytes into parts of whole lines: at most `maxLines` lines, and `maxBytes` where a single line is not longer.
 * Holds one part and one chunk in memory whatever the stream's length. Throws `LineTooLong` for a line of more than
 * `maxBytes`. Of a stream that fails, what was yielded before is whole.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  { maxLines, maxBytes }: { maxLines: number; maxBytes: number },
): AsyncGenerator<LinePart> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
    let cut = cutPart(pending, maxLines, maxBytes);
    for (; cut !== undefined && isFull(cut, pending, maxLines, maxBytes); cut = cutPart(pending, maxLines, maxBytes)) {
      yield cut;
      pending = pending.subarray(cut.body.length);
    }
    if (cut === undefined && pending.length > maxBytes) throw new LineTooLong();
    // A view of it would keep the whole chunk alive.
    pending = Buffer.from(pending);
  }
  for (
    let rest = cutPart(pending, maxLines, maxBytes);
    rest !== undefined;
    rest = cutPart(pending, maxLines, maxBytes)
  ) {
    yield rest;
    pending = pending.subarray(rest.body.length);
  }
  if (pending.length > maxBytes) throw new LineTooLong();
  if (pending.length > 0) yield { body: pending, lines: 1 };
}

/** The longest part of whole lines at the start; undefined when not even one line is whole and short enough. */
function cutPart(bytes: Buffer, maxLines: number, maxBytes: number): LinePart | undefined {
  let [end, lines] = [0, 0];
  while (lines < maxLines) {
    const newline = bytes.indexOf(NEWLINE, end);
    if (newline < 0 || newline + 1 > maxBytes) break;
    end = newline + 1;
    lines += 1;
  }
  return lines === 0 ? undefined : { body: bytes.subarray(0, end), lines };
}

/** Nothing of what follows could be added to it. */
const isFull = ({ body, lines }: LinePart, bytes: Buffer, maxLines: number, maxBytes: number): boolean =>
  lines === maxLines || bytes.length > maxBytes || body.length === maxBytes;
