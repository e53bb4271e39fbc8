/** Results of metric expressions: series with a value at some of the steps, or one number. Operators
 *  (vector/, binary/) take whole matrices, so that labels are looked at once per series and not once per
 *  step. Several series of one matrix may have the same labels: `or` makes some that differ in their
 *  steps, label_replace any. */
import { formatLabels, type Labels } from "../../streams/labels.ts";

export interface Series {
  readonly labels: Labels;
  /** By step; means nothing where `present` is 0. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

/** Series in the order of compareLabels, unless a sort function ordered them. */
export interface Matrix {
  readonly kind: "matrix";
  readonly series: ReadonlyArray<Series>;
}

/** The same number at every step. */
export interface Scalar {
  readonly kind: "scalar";
  readonly value: number;
}

export type Evaluated = Matrix | Scalar;

/** Thrown by operators for what is wrong with a query's series, not with its text. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
}

export function emptySeries(labels: Labels, stepCount: number): Series {
  return { labels, values: new Float64Array(stepCount), present: new Uint8Array(stepCount) };
}

/** A series with this value at every step. */
export function constantSeries(labels: Labels, value: number, stepCount: number): Series {
  return {
    labels,
    values: new Float64Array(stepCount).fill(value),
    present: new Uint8Array(stepCount).fill(1),
  };
}

/** The matrix of some series, in order of labels, equal ones as they come; those without any
 *  value are left out. */
export function matrixOf(series: Iterable<Series>): Matrix {
  const kept = [...series].filter(({ present }) => present.includes(1));
  kept.sort((a, b) => compareLabels(a.labels, b.labels));
  return { kind: "matrix", series: kept };
}

/** Orders label sets as Prometheus does: pair by pair, by name, then value; the shorter of two that
 *  begin alike is first. */
export function compareLabels(a: Labels, b: Labels): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const [[nameA, valueA], [nameB, valueB]] = [a[index]!, b[index]!];
    if (nameA !== nameB) return nameA < nameB ? -1 : 1;
    if (valueA !== valueB) return compareText(valueA, valueB);
  }
  return a.length - b.length;
}

/** Orders text by code points, as UTF-8 bytes are ordered. */
function compareText(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === a.length || at === b.length) return a.length - b.length;
  // Surrogates stand for code points above all that one unit can be.
  const rank = (unit: number) => (unit & 0xf800) === 0xd800 ? unit + 0x10000 : unit;
  return rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
}

/** Puts series of the same labels together: at each step the first value goes to the first of them, so
 *  that as many remain as have a value at one step. */
export function joinEqual({ series }: Matrix): Matrix {
  const byLabels = Map.groupBy(series, ({ labels }) => formatLabels(labels));
  return matrixOf(
    [...byLabels.values()].flatMap((same) => same.length === 1 ? same : joined(same)),
  );
}

function joined(same: ReadonlyArray<Series>): ReadonlyArray<Series> {
  const { labels, values: { length: stepCount } } = same[0]!;
  const all: Series[] = [];
  /** How many of `all` have a value at each step. */
  const taken = new Uint32Array(stepCount);
  for (const { values, present } of same) {
    for (let step = 0; step < stepCount; step++) {
      if (present[step] === 0) continue;
      const place = taken[step]!++;
      if (place === all.length) all.push(emptySeries(labels, stepCount));
      all[place]!.values[step] = values[step]!;
      all[place]!.present[step] = 1;
    }
  }
  return all;
}
