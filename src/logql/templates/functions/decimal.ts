/** Exact decimals, for sums that read as people write them. Invariant: a value is
 *  digits * 10^exponent. */

export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** Digits after the point that a division keeps. */
const divisionDigits = 16;

/** The shortest decimal that reads back as this finite number. */
export function fromNumber(value: number): Decimal {
  const [mantissa, exponent] = value.toExponential().split("e");
  const [whole, fraction = ""] = mantissa!.split(".");
  return { digits: BigInt(whole! + fraction), exponent: Number(exponent) - fraction.length };
}

export function toNumber({ digits, exponent }: Decimal): number {
  return Number(`${digits}e${exponent}`);
}

export function add(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  return { digits: digitsAt(a, exponent) + digitsAt(b, exponent), exponent };
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { digits: -b.digits, exponent: b.exponent });
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, exponent: a.exponent + b.exponent };
}

/** Rounded at 16 digits after the point, half away from zero. `b` is not 0. */
export function divide(a: Decimal, b: Decimal): Decimal {
  const shift = a.exponent - b.exponent + divisionDigits;
  const numerator = shift > 0 ? a.digits * 10n ** BigInt(shift) : a.digits;
  const denominator = shift < 0 ? b.digits * 10n ** BigInt(-shift) : b.digits;
  const isNegative = (numerator < 0n) !== (denominator < 0n);
  const size = (2n * absolute(numerator) + absolute(denominator)) / (2n * absolute(denominator));
  return { digits: isNegative ? -size : size, exponent: -divisionDigits };
}

function digitsAt(value: Decimal, exponent: number): bigint {
  return value.digits * 10n ** BigInt(value.exponent - exponent);
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}
