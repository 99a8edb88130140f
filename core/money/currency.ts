import { scaled } from './apportion.ts';

/** Amounts are whole numbers: minor units of a currency (ISO 4217), or micros, millionths of its major unit. */

/** Digits after the point by ISO 4217, for the currencies that do not have two. */
const exponents: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  CLF: 4,
  UYW: 4,
};

/** How many digits the minor unit of a currency has after the point of the major one. */
export const exponentOf = (currency: string): number =>
  Object.hasOwn(exponents, currency) ? (exponents[currency] ?? 2) : 2;

export const microsPerMinor = (currency: string): number => 10 ** (6 - exponentOf(currency));

/** A bigint: micros of large amounts leave the safe integers. */
export const minorToMicros = (minor: number, currency: string): bigint =>
  BigInt(minor) * BigInt(microsPerMinor(currency));

/** Minor units, rounded half up: networks calculate in millionths. */
export const minorOfMicros = (micros: number, currency: string): number =>
  scaled(BigInt(micros), 1n, BigInt(microsPerMinor(currency)));

/** Millionths from a decimal text such as `12.345678`; further digits are rounded. Throws RangeError for anything else. */
export function microsOfDecimal(text: string): number {
  const parts = /^(\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (parts === null) throw new RangeError(`${text} is not a decimal number`);
  const [, whole = '0', fraction = ''] = parts;
  const round = fraction.charAt(6) >= '5' ? 1 : 0;
  return Number(whole) * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, '0')) + round;
}

/** `15.00`, `1500` for a currency without minor unit, `-0.05`. */
export function decimalOf(minor: number, currency: string): string {
  const exponent = exponentOf(currency);
  const digits = String(Math.abs(minor)).padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const sign = minor < 0 ? '-' : '';
  return exponent === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-exponent)}`;
}
