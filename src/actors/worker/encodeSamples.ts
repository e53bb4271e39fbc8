/** Writes the result of a metric query as Loki does: matrix, vector or scalar; times as seconds with at
 *  most three decimals, values as strings. Owns the form of numbers. */
import type { StepGrid } from "../../logql/metrics/grid.ts";
import { stepTime } from "../../logql/metrics/grid.ts";
import { constantSeries, type Evaluated, type Matrix } from "../../logql/metrics/matrix.ts";
import type { Labels } from "../../streams/labels.ts";
import type { EncodedSamples } from "../protocol/evaluate.ts";

/** Thrown when the text would be longer than allowed. */
export class AnswerTooLarge extends Error {
  override readonly name = "AnswerTooLarge";
}

/** The samples of a range query: a matrix, also of a plain number. Throws AnswerTooLarge, and what `checkpoint` throws, which
 *  is called for each series. */
export function encodeMatrix(
  value: Evaluated,
  grid: StepGrid,
  bytesMax: number,
  checkpoint: () => void,
): EncodedSamples {
  const { series } = asMatrix(value, grid);
  const times = Array.from({ length: grid.count }, (_, step) => secondsText(stepTime(grid, step)));
  const out = new BoundedText(bytesMax);
  let sampleCount = 0;
  for (const { labels, values, present } of series) {
    checkpoint();
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
  return { resultType: "matrix", result: encoder.encode(`[${out.text()}]`), sampleCount };
}

/** The samples of an instant query: a vector, or a scalar. Throws AnswerTooLarge. */
export function encodeInstant(value: Evaluated, grid: StepGrid, bytesMax: number): EncodedSamples {
  const time = secondsText(grid.startNs);
  if (value.kind === "scalar") {
    const result = encoder.encode(`[${time},"${valueText(value.value)}"]`);
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
  return { resultType: "vector", result: encoder.encode(`[${out.text()}]`), sampleCount };
}

/** What encodeInstant wrote; a scalar is a sample without labels. */
export function decodeInstant(
  { resultType, result }: EncodedSamples,
): ReadonlyArray<{ readonly labels: Labels; readonly value: number }> {
  const json: unknown = JSON.parse(new TextDecoder().decode(result));
  if (resultType === "scalar") {
    return [{ labels: [], value: numberOf((json as InstantSample["value"])[1]) }];
  }
  return (json as ReadonlyArray<InstantSample>).map(({ metric, value }) => ({
    labels: Object.entries(metric),
    value: numberOf(value[1]),
  }));
}

interface InstantSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [seconds: number, value: string];
}

/** What valueText wrote. */
function numberOf(text: string): number {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
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

const encoder = new TextEncoder();

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
