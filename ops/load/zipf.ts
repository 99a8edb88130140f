import type { Random } from './random.ts';

/** Draws ranks from 0 so that the k-th comes up in proportion to 1 / k to the power of `exponent`. */
export function createZipf(ranks: number, exponent: number): (random: Random) => number {
  const upTo: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= ranks; rank++) upTo.push((sum += rank ** -exponent));
  return (random) => {
    const wanted = random.next() * sum;
    let low = 0;
    for (let high = ranks - 1; low < high;) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
