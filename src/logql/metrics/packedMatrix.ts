/** Matrices as they cross threads: a few large columns, whatever the number of series, so that the thread which passes them on
 *  has nothing to do for each. Also texts of labels in one string: canonical ones have no line breaks. */
import { formatLabels, parseLabels } from "../../streams/labels.ts";
import type { Matrix } from "./matrix.ts";

export interface PackedMatrix {
  /** Label strings of the series, see packTexts. */
  readonly labels: string;
  /** Of each series after the other, by step. */
  readonly values: Float64Array<ArrayBuffer>;
  readonly present: Uint8Array<ArrayBuffer>;
}

/** `stepCount` is the length of every series. */
export function packMatrix({ series }: Matrix, stepCount: number): PackedMatrix {
  const values = new Float64Array(series.length * stepCount);
  const present = new Uint8Array(series.length * stepCount);
  series.forEach((one, index) => {
    values.set(one.values, index * stepCount);
    present.set(one.present, index * stepCount);
  });
  return { labels: packTexts(series.map(({ labels }) => formatLabels(labels))), values, present };
}

/** The matrix; its series are views of the columns. */
export function unpackMatrix({ labels, values, present }: PackedMatrix, stepCount: number): Matrix {
  const series = unpackTexts(labels).map((text, index) => {
    const [start, end] = [index * stepCount, (index + 1) * stepCount];
    return {
      labels: parseLabels(text),
      values: values.subarray(start, end),
      present: present.subarray(start, end),
    };
  });
  return { kind: "matrix", series };
}

/** Texts that are not empty and have no line breaks, as one. */
export function packTexts(texts: ReadonlyArray<string>): string {
  return texts.join("\n");
}

export function unpackTexts(text: string): ReadonlyArray<string> {
  return text === "" ? [] : text.split("\n");
}
