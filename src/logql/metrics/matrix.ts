/** Results of metric expressions: series with a value at some of the steps, or one number. Operators
 *  (vector/, binary/) take whole matrices, so that labels are looked at once per series and not once per
 *  step. Invariant: no two series of a matrix have the same labels at the same step. */
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

/** The matrix of some series that have labels of their own each, in order; those without any
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

/** Puts series of the same labels together. Throws an EvaluationError if two have a value at one step. */
export function joinEqual(series: Iterable<Series>, what: string): Matrix {
  const joined = new Map<string, Series>();
  for (const one of series) {
    const key = formatLabels(one.labels);
    const known = joined.get(key);
    if (known === undefined) {
      joined.set(key, one);
      continue;
    }
    const both = { ...known, values: known.values.slice(), present: known.present.slice() };
    for (let step = 0; step < one.values.length; step++) {
      if (one.present[step] === 0) continue;
      if (both.present[step] === 1) {
        throw new EvaluationError(`${what}: several series would have the labels ${key}`);
      }
      both.values[step] = one.values[step]!;
      both.present[step] = 1;
    }
    joined.set(key, both);
  }
  return matrixOf(joined.values());
}
