/** Digits after the decimal point of a currency, by ISO 4217: 2 for EUR, 0 for JPY, 3 for KWD. Throws RangeError for what is no currency code. */
export function currencyDigits(currency: string): number {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency });
  return format.resolvedOptions().maximumFractionDigits ?? 2;
}

/** Millionths of the major unit. Exact: no currency has more than six digits. */
export const microsOf = (minor: number, currency: string): number => minor * 10 ** (6 - currencyDigits(currency));
/** Minor units, rounded half up: networks calculate in millionths. */
export const minorOfMicros = (micros: number, currency: string): number =>
  Math.round(micros / 10 ** (6 - currencyDigits(currency)));

/** `12.34` in the major unit: what interfaces take that know no minor units. Made from digits, never by a division. */
export function majorText(minor: number, currency: string): string {
  const digits = currencyDigits(currency);
  if (digits === 0) return String(minor);
  const padded = String(minor).padStart(digits + 1, '0');
  return `${padded.slice(0, -digits)}.${padded.slice(-digits)}`;
}

/** Millionths from a decimal text such as `12.345678`; further digits are rounded. Throws RangeError for anything else. */
export function microsOfDecimal(text: string): number {
  const parts = /^(\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (parts === null) throw new RangeError(`${text} is not a decimal number`);
  const [, whole = '0', fraction = ''] = parts;
  const round = fraction.charAt(6) >= '5' ? 1 : 0;
  return Number(whole) * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, '0')) + round;
}
