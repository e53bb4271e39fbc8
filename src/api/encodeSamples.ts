/** Writes the result of a metric query as Loki does: matrix, vector or scalar; times as seconds with at
 *  most three decimals, values as strings. Owns the form of numbers. */
import type { StepGrid } from "../logql/metrics/grid.ts";
import { stepTime } from "../logql/metrics/grid.ts";
import { constantSeries, type Evaluated, type Matrix } from "../logql/metrics/matrix.ts";
import type { Labels } from "../streams/labels.ts";

/** Thrown when the text would be longer than allowed. */
export class AnswerTooLarge extends Error {
  override readonly name = "AnswerTooLarge";
}

export interface EncodedSamples {
  readonly resultType: "matrix" | "vector" | "scalar";
  /** The JSON of `data.result`. */
  readonly result: string;
  readonly sampleCount: number;
}

/** The samples of a range query: a matrix, also of a plain number. */
export function encodeMatrix(value: Evaluated, grid: StepGrid, bytesMax: number): EncodedSamples {
  const { series } = asMatrix(value, grid);
  const times = Array.from({ length: grid.count }, (_, step) => secondsText(stepTime(grid, step)));
  const out = new BoundedText(bytesMax);
  let sampleCount = 0;
  for (const { labels, values, present } of series) {
    out.add(`${out.isEmpty ? "" : ","}{"metric":${labelsText(labels)},"values":[`);
    let first = true;
    for (let step = 0; step < values.length; step++) {
      if (present[step] === 0) continue;
      out.add(`${first ? "" : ","}[${times[step]},"${valueText(values[step]!)}"]`);
      first = false;
      sampleCount++;
    }
    out.add("]}");
  }
  return { resultType: "matrix", result: `[${out.text()}]`, sampleCount };
}

/** The samples of an instant query: a vector, or a scalar. */
export function encodeInstant(value: Evaluated, grid: StepGrid, bytesMax: number): EncodedSamples {
  const time = secondsText(grid.startNs);
  if (value.kind === "scalar") {
    const result = `[${time},"${valueText(value.value)}"]`;
    return { resultType: "scalar", result, sampleCount: 1 };
  }
  const out = new BoundedText(bytesMax);
  let sampleCount = 0;
  for (const { labels, values, present } of value.series) {
    if (present[0] === 0) continue;
    const metric = `{"metric":${labelsText(labels)},"value":[${time},"${valueText(values[0]!)}"]}`;
    out.add(`${out.isEmpty ? "" : ","}${metric}`);
    sampleCount++;
  }
  return { resultType: "vector", result: `[${out.text()}]`, sampleCount };
}

/** Seconds of a time in ns, cut to milliseconds, without trailing zeros. */
export function secondsText(timeNs: bigint): string {
  const millis = timeNs / 1_000_000n;
  const sign = millis < 0n ? "-" : "";
  const digits = String(millis < 0n ? -millis : millis).padStart(4, "0");
  const fraction = digits.slice(-3).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -3)}${fraction === "" ? "" : `.${fraction}`}`;
}

/** A value as Go prints it without exponent: the shortest digits that read back as the same number. */
export function valueText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  if (Object.is(value, -0)) return "-0";
  const text = String(value);
  const exponentAt = text.indexOf("e");
  if (exponentAt < 0) return text;
  const sign = text.startsWith("-") ? "-" : "";
  const [whole = "", fraction = ""] = text.slice(sign.length, exponentAt).split(".");
  const exponent = Number(text.slice(exponentAt + 1));
  // The decimal point moves by the exponent, over zeros where digits end.
  return exponent < 0
    ? `${sign}0.${"0".repeat(-exponent - 1)}${whole}${fraction}`
    : `${sign}${whole}${fraction.padEnd(exponent, "0")}`;
}

function asMatrix(value: Evaluated, grid: StepGrid): Matrix {
  if (value.kind === "matrix") return value;
  return { kind: "matrix", series: [constantSeries([], value.value, grid.count)] };
}

function labelsText(labels: Labels): string {
  return JSON.stringify(Object.fromEntries(labels));
}

/** Text in pieces, up to a length: one string that is too long would end the process. */
class BoundedText {
  readonly #pieces: string[] = [];
  readonly #bytesMax: number;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(piece: string): void {
    this.#length += piece.length;
    if (this.#length > this.#bytesMax) {
      throw new AnswerTooLarge(
        `the samples exceed ${this.#bytesMax} bytes, which is querier.max_response_bytes; use a larger ` +
          "step, a shorter time range, or group by fewer labels",
      );
    }
    this.#pieces.push(piece);
  }

  text(): string {
    return this.#pieces.join("");
  }
}
