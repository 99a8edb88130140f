export interface Axis {
  /** Pixels from the low end. */
  at(value: number): number;
  ticks: readonly number[];
}

/** From zero to a round number at or above `max`. */
export function linearAxis(max: number, pixels: number): Axis {
  const step = roundStep(max / 5);
  const top = Math.max(step, Math.ceil(max / step) * step);
  return {
    at: (value) => (value / top) * pixels,
    ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, index) => Number((index * step).toPrecision(6))),
  };
}

/** In powers of ten around both ends. Throws a RangeError for what has no logarithm. */
export function logAxis(min: number, max: number, pixels: number): Axis {
  if (!(min > 0) || !(max >= min)) throw new RangeError(`no logarithmic axis from ${min} to ${max}`);
  const low = Math.floor(Math.log10(min));
  const high = Math.max(low + 1, Math.ceil(Math.log10(max)));
  return {
    at: (value) => ((Math.log10(value) - low) / (high - low)) * pixels,
    ticks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
  };
}

/** 1, 2 or 5 times a power of ten, at or above `rough`. */
function roundStep(rough: number): number {
  if (!(rough > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * 0.999_999) ?? 10;
  return factor * power;
}
