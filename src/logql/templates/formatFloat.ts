/** Floats as Go prints them: shortest digits that read back the same, or exactly rounded, ties to
 *  even. https://pkg.go.dev/strconv#FormatFloat has the rules. */

export type FloatVerb = "e" | "f" | "g";

/** `precision` digits after the point (e, f) or in all (g); null for as many as are needed. */
export function formatFloat(value: number, verb: FloatVerb, precision: number | null): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (precision === null) {
    const decimal = shortest(size);
    return sign + (verb === "g" ? general(decimal, shortestPlaces) : written(decimal, verb, null));
  }
  if (verb === "g") {
    const digits = Math.max(precision, 1);
    const decimal = trimZeros(rounded(size, digits));
    // A number with fewer digits than asked is still written out up to as many places.
    const places = digits > decimal.digits.length && decimal.digits.length >= decimal.exponent + 1
      ? decimal.digits.length
      : digits;
    return sign + general(decimal, places);
  }
  if (verb === "e") return sign + written(rounded(size, precision + 1), "e", precision);
  return sign + fixed(size, precision);
}

/** What Go counts as many places for a float printed with as few digits as can be. */
const shortestPlaces = 6;

/** 0.ddd times 10^(exponent+1): the first digit stands before the point. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

function shortest(size: number): Decimal {
  const [digits, exponent] = size.toExponential().split("e");
  return { digits: digits!.replace(".", ""), exponent: Number(exponent) };
}

function trimZeros(decimal: Decimal): Decimal {
  return { digits: decimal.digits.replace(/(?!^)0+$/, ""), exponent: decimal.exponent };
}

/** With an exponent where the number is tiny, or has more than so many places before the point. */
function general(decimal: Decimal, places: number): string {
  const { exponent } = decimal;
  return written(decimal, exponent < -4 || exponent >= places ? "e" : "f", null);
}

function written(decimal: Decimal, verb: "e" | "f", precision: number | null): string {
  const { digits, exponent } = decimal;
  if (verb === "e") {
    const rest = digits.slice(1).padEnd(precision ?? 0, "0");
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${digits[0]}${rest === "" ? "" : `.${rest}`}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return digits.padEnd(exponent + 1, "0");
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** `size` as a fraction of whole numbers. */
function fraction(size: number): { numerator: bigint; denominator: bigint } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, size);
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n);
  const mantissa = (bits & 0xf_ffff_ffff_ffffn) | (biased === 0 ? 0n : 1n << 52n);
  const power = Math.max(biased, 1) - 1075;
  return power >= 0
    ? { numerator: mantissa << BigInt(power), denominator: 1n }
    : { numerator: mantissa, denominator: 1n << BigInt(-power) };
}

/** size * 10^power as a whole number, ties to even. */
function scaled(size: number, power: number): bigint {
  let { numerator, denominator } = fraction(size);
  if (power >= 0) numerator *= 10n ** BigInt(power);
  else denominator *= 10n ** BigInt(-power);
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const isUp = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  return isUp ? quotient + 1n : quotient;
}

function fixed(size: number, precision: number): string {
  const digits = String(scaled(size, precision)).padStart(precision + 1, "0");
  return precision === 0 ? digits : `${digits.slice(0, -precision)}.${digits.slice(-precision)}`;
}

function rounded(size: number, digitCount: number): Decimal {
  if (size === 0) return { digits: "0".repeat(digitCount), exponent: 0 };
  const { exponent } = shortest(size);
  const digits = String(scaled(size, digitCount - 1 - exponent));
  // 9.99 rounds to one digit more.
  const carried = digits.length > digitCount;
  return { digits: digits.slice(0, digitCount), exponent: carried ? exponent + 1 : exponent };
}
