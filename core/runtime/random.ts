import { randomFillSync } from 'node:crypto';

/** Asking the operating system costs ten microseconds, whether for eight bytes or for thousands. */
const pool = Buffer.alloc(8_192);
let used = pool.length;

/**
 * Random bytes as text, each handed out once. For names that must not repeat: what opens something (keys, passwords) asks
 * `node:crypto` itself and leaves no copy here.
 * @param bytes at most 8192
 */
export function randomText(bytes: number, encoding: 'hex' | 'base64url'): string {
  if (bytes > pool.length) throw new RangeError(`${bytes} random bytes asked for, there are ${pool.length} at a time`);
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString(encoding, used - bytes, used);
}
