/**
 * Merchant ids of a load. Most look ordinary; the rest are legal but awkward: ids come from outside, and each of these
 * would break a system that puts them into keys, paths or group ids as they are.
 */
const awkward: readonly ((n: number) => string)[] = [
  (n) => String(100_000 + n),
  (n) => `a:b:${n}`,
  (n) => `../x${n}`,
  (n) => `{shop}${n}`,
  (n) => `Käse & Brot ${n}`,
  (n) => `店${n}`,
  (n) => `long-${n}-`.padEnd(128, 'x'),
  (n) => `it's "${n}"; --`,
];

export function merchantName(index: number): string {
  const odd = index % 12 === 11 ? awkward[Math.floor(index / 12) % awkward.length] : undefined;
  return odd === undefined ? `shop-${String(index + 1).padStart(4, '0')}` : odd(index + 1);
}
