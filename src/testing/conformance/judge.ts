/** Compares an answer with what a case expects. An answer comes from a server (serverAnswer.ts) or from the reference evaluator
 *  (referenceAnswer.ts); both are judged alike. */
import { type LabelMap, labelText, type LogRow } from "../reference/row.ts";
import { type Case, readLabels } from "./caseFile.ts";
import {
  type AnsweredLine,
  type AnsweredSeries,
  describeLines,
  expectedLines,
  expectedSeries,
  isSameValue,
  seriesDifference,
} from "./expectation.ts";

export type Answer =
  | { readonly kind: "lines"; readonly lines: ReadonlyArray<AnsweredLine> }
  | { readonly kind: "series"; readonly series: ReadonlyArray<AnsweredSeries> }
  | { readonly kind: "scalar"; readonly value: string }
  | { readonly kind: "names"; readonly names: ReadonlyArray<string> }
  | { readonly kind: "labelSets"; readonly sets: ReadonlyArray<LabelMap> }
  | { readonly kind: "json"; readonly body: unknown }
  | { readonly kind: "error"; readonly status: number; readonly message: string };

/** What differs, or null. */
export interface Difference {
  readonly actual: unknown;
  readonly expected: unknown;
}

export function judge(test: Case, rows: ReadonlyArray<LogRow>, answer: Answer): Difference | null {
  const { expected, place } = test;
  if (expected[0]!.startsWith("! ")) return judgeError(expected[0]!.slice(2), answer);
  switch (answer.kind) {
    case "error":
      return { actual: answer, expected };
    case "lines": {
      const isCategorized = test.options["categorize"] !== undefined;
      const wanted = describeLines(expectedLines(rows, expected, isCategorized, place), false);
      return differ(describeLines(answer.lines, true), wanted);
    }
    case "scalar": {
      const wanted = expectedSeries(expected, place);
      if (typeof wanted !== "string") return { actual: `scalar ${answer.value}`, expected };
      return isSameValue(answer.value, wanted) ? null : { actual: answer.value, expected: wanted };
    }
    case "series": {
      const wanted = expectedSeries(expected, place);
      if (typeof wanted === "string") return { actual: answer.series, expected };
      return seriesDifference(answer.series, wanted);
    }
    case "names":
      return differ(
        [...answer.names],
        expected[0] === "(none)" ? [] : expected.flatMap((line) => line.split(/\s+/)),
      );
    case "json": {
      const wanted = JSON.parse(expected.join("\n")) as unknown;
      return contains(answer.body, wanted) ? null : { actual: answer.body, expected: wanted };
    }
    case "labelSets": {
      const wanted = expected[0] === "(none)"
        ? []
        : expected.map((line) => readLabels(line, place).labels);
      return differ(answer.sets.map(labelText).sort(), wanted.map(labelText).sort());
    }
  }
}

/** Whether an answer has everything that is expected: objects may have more keys, lists not more elements. */
function contains(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && actual.length === expected.length &&
      expected.every((element, index) => contains(actual[index], element));
  }
  if (expected === null || typeof expected !== "object") return actual === expected;
  return actual !== null && typeof actual === "object" &&
    Object.entries(expected).every(([key, value]) =>
      contains((actual as Record<string, unknown>)[key], value)
    );
}

/** Compares a server's answer with the reference's. */
export function compareAnswers(actual: Answer, reference: Answer): Difference | null {
  if (actual.kind === "error" || reference.kind === "error") {
    return actual.kind === reference.kind ? null : { actual, expected: reference };
  }
  if (actual.kind === "lines" && reference.kind === "lines") {
    return differ(describeLines(actual.lines, true), describeLines(reference.lines, true));
  }
  if (actual.kind === "scalar" && reference.kind === "scalar") {
    return isSameValue(actual.value, approximately(reference.value))
      ? null
      : { actual, expected: reference };
  }
  if (actual.kind === "series" && reference.kind === "series") {
    return seriesDifference(
      actual.series,
      reference.series.map(({ labels, values }) => ({ labels, values: values.map(approximately) })),
    );
  }
  return { actual, expected: reference };
}

/** Sums may be added up in another order, and a quotient of them may have a fraction in one and none in the other. A billionth of
 *  what has at most nine digits is less than one: no count is taken for another. */
function approximately<V extends string | null>(value: V): V | string {
  return value === null || /^-?(0|\d{10,15})$|NaN|Inf/.test(value) ? value : `~${value}`;
}

/** `<status> [line:column] piece ... piece`. */
function judgeError(text: string, answer: Answer): Difference | null {
  const [, status, position, pieces] = /^(\d{3})(?: (\d+:\d+))?(?: (.*))?$/.exec(text)!;
  if (answer.kind !== "error") return { actual: answer, expected: text };
  if (answer.status !== Number(status)) return { actual: answer, expected: text };
  const [line, column] = (position ?? "").split(":");
  const wanted = [
    ...position === undefined ? [] : [`parse error at line ${line}, col ${column}:`],
    ...(pieces ?? "").split(" ... "),
  ];
  let at = 0;
  for (const piece of wanted) {
    const found = answer.message.indexOf(piece, at);
    if (found < 0) return { actual: answer, expected: text };
    at = found + piece.length;
  }
  return null;
}

function differ(actual: ReadonlyArray<string>, expected: ReadonlyArray<string>): Difference | null {
  const isSame = actual.length === expected.length &&
    actual.every((line, index) => line === expected[index]);
  return isSame ? null : { actual, expected };
}
