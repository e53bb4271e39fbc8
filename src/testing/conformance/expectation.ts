/** What conformance cases expect, and what was answered, as lines of one canonical form that can be compared. Owns that form;
 *  caseFile.ts owns the files. */
import { anyDetails, type LabelMap, labelText, type LogRow, textOf } from "../reference/row.ts";
import { epochNs, readLabels, readText, timeOf } from "./caseFile.ts";

/** A line of an answer. */
export interface AnsweredLine {
  /** Stream labels if the answer is categorized, else all. */
  readonly labels: LabelMap;
  readonly categories?: { readonly metadata: LabelMap; readonly parsed: LabelMap };
  readonly timestampNs: bigint;
  /** As text: what is no UTF-8 is U+FFFD. */
  readonly line: string;
}

export interface AnsweredSeries {
  readonly labels: LabelMap;
  /** One for each step, null where there is none; one alone for an instant query. */
  readonly values: ReadonlyArray<string | null>;
}

/** Reads the expectation of a log query: `<time>[#n] [+{…} | {…}] [meta{…}] [parsed{…}] [!Error] [=> line]`. */
export function expectedLines(
  rows: ReadonlyArray<LogRow>,
  expected: ReadonlyArray<string>,
  isCategorized: boolean,
  place: string,
): AnsweredLine[] {
  if (expected[0] === "(none)") return [];
  return expected.map((text) => {
    const head = /^(-?\d+(?:\.\d{1,9})?)(?:#(\d+))?(?:\s+|$)/.exec(text);
    if (head === null) throw new Error(`${place}: "${text}" does not begin with a time`);
    const timestampNs = timeOf(head[1]!);
    const row = rows.filter((row) => row.timestampNs === timestampNs)[Number(head[2] ?? "1") - 1];
    if (row === undefined) throw new Error(`${place}: no line is loaded at ${head[0]}`);
    let rest = text.slice(head[0].length);
    const take = (marker: string): Record<string, string> | null => {
      if (!rest.startsWith(`${marker}{`)) return null;
      const read = readLabels(rest.slice(marker.length), place);
      rest = read.rest.trimStart();
      return read.labels;
    };
    const added = take("+");
    const exact = added === null ? take("") : null;
    const base: LabelMap = isCategorized ? row.labels : { ...row.labels, ...row.metadata };
    const metadata = take("meta") ?? (isCategorized ? row.metadata : {});
    const parsed = take("parsed") ?? {};
    const labels: Record<string, string> = exact ?? { ...base, ...added };
    const error = /^!([A-Za-z]+)(?:\s+|$)/.exec(rest);
    if (error !== null) {
      Object.assign(isCategorized ? parsed : labels, {
        __error__: error[1]!,
        __error_details__: anyDetails,
      });
      rest = rest.slice(error[0].length);
    }
    const arrow = /^=>(?: (.*))?$/s.exec(rest);
    if (rest !== "" && arrow === null) throw new Error(`${place}: cannot read "${rest}"`);
    const line = textOf(arrow === null ? row.line : readText(arrow[1] ?? ""));
    return {
      labels,
      timestampNs,
      line,
      ...(isCategorized ? { categories: { metadata, parsed } } : {}),
    };
  });
}

/** The lines as the answer shows them: grouped by labels, groups in the order of labels. `isAnswer` says that the order is the
 *  answer's, to be compared. The wording of error details orders lines too, and is not compared: then no order is. */
export function describeLines(lines: ReadonlyArray<AnsweredLine>, isAnswer: boolean): string[] {
  const groups = new Map<string, string[]>();
  for (const { labels, categories, timestampNs, line } of lines) {
    const key = labelText(withoutWording(labels));
    const extra = categories === undefined
      ? ""
      : ` meta${labelText(categories.metadata)} parsed${
        labelText(withoutWording(categories.parsed))
      }`;
    const text = `${secondsOf(timestampNs)} ${key}${extra} => ${JSON.stringify(line)}`;
    groups.set(key, [...groups.get(key) ?? [], text]);
  }
  const isUnordered = [...groups.keys()].some((key) => key.includes("__error_details__="));
  const sorted = [...groups].sort(([a], [b]) =>
    isAnswer && !isUnordered ? 0 : a < b ? -1 : a > b ? 1 : 0
  );
  return sorted.flatMap(([, texts]) => isUnordered ? texts.sort() : texts);
}

/** The wording of error details is not compared, only that there are some. */
export function withoutWording(labels: LabelMap): LabelMap {
  if ((labels["__error_details__"] ?? "") === "") return labels;
  return { ...labels, __error_details__: anyDetails };
}

/** Reads `{labels} value…`, or `scalar value`. */
export function expectedSeries(
  expected: ReadonlyArray<string>,
  place: string,
): AnsweredSeries[] | string {
  if (expected[0] === "(none)") return [];
  if (expected[0]!.startsWith("scalar ")) return expected[0]!.slice(7).trim();
  return expected.map((text) => {
    const { labels, rest } = readLabels(text, place);
    const values = rest.trim().split(/\s+/).map((value) => value === "_" ? null : value);
    return { labels, values };
  });
}

/** What differs between two series lists; a value that is expected as `~x` may be off by a billionth. */
export function seriesDifference(
  actual: ReadonlyArray<AnsweredSeries>,
  expected: ReadonlyArray<AnsweredSeries>,
): { readonly actual: string[]; readonly expected: string[] } | null {
  const describe = ({ labels, values }: AnsweredSeries) =>
    `${labelText(labels)} ${values.map((value) => value ?? "_").join(" ")}`;
  const isSame = actual.length === expected.length && actual.every((series, index) => {
    const other = expected[index]!;
    return labelText(series.labels) === labelText(other.labels) &&
      series.values.length === other.values.length &&
      series.values.every((value, step) => isSameValue(value, other.values[step]!));
  });
  return isSame ? null : { actual: actual.map(describe), expected: expected.map(describe) };
}

/** Whether the answered text stands for the expected number. */
export function isSameValue(actual: string | null, expected: string | null): boolean {
  if (actual === null || expected === null) return actual === expected;
  if (!expected.startsWith("~")) {
    return actual === formatValue(Number(expected.replace("Inf", "Infinity")));
  }
  const wanted = Number(expected.slice(1));
  if (actual !== formatValue(Number(actual))) return false;
  return Math.abs(Number(actual) - wanted) <= Math.max(Math.abs(wanted) * 1e-9, 1e-12);
}

/** A number as Prometheus writes it: no exponent, as few digits as name it. */
export function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (Object.is(value, -0)) return "-0";
  const text = String(value);
  const exponent = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (exponent === null) return text;
  const [, sign, first, fraction = "", power] = exponent;
  const digits = first! + fraction;
  const point = 1 + Number(power);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, "0");
}

function secondsOf(timestampNs: bigint): string {
  const ns = timestampNs - epochNs;
  const [whole, fraction] = [ns / 1_000_000_000n, ns % 1_000_000_000n];
  return fraction === 0n ? String(whole) : `${whole}.${String(fraction).padStart(9, "0")}`;
}
