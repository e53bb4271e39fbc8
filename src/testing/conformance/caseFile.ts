/** Reads conformance files: lines to load and queries with their answers, as text that needs no code to be understood.
 *  test/conformance/README.md is their manual. Invariant: a file that is not understood in every line is an error. */
import { bytesOf, type LogRow } from "../reference/row.ts";

/** Lines that are loaded together, as a tenant of their own, and what is asked of them. */
export interface Section {
  readonly title: string;
  readonly rows: ReadonlyArray<LogRow>;
  readonly cases: ReadonlyArray<Case>;
}

export interface Case {
  readonly kind: "logs" | "instant" | "range" | "labels" | "values" | "series" | "get";
  readonly options: Readonly<Record<string, string>>;
  /** For `values` the label's name comes first; for `get` it is the path, then parameters with "; " between. */
  readonly query: string;
  /** Lines of the expectation, without indentation. */
  readonly expected: ReadonlyArray<string>;
  /** `file:line`. */
  readonly place: string;
}

/** 2025-01-01: time 0 of every file. A multiple of every step that the files use. */
export const epochNs = 1_735_689_600_000_000_000n;

export function parseCaseFile(name: string, text: string): Section[] {
  const sections: Array<{ title: string; rows: LogRow[]; cases: Case[] }> = [];
  let labels: Record<string, string> | null = null;
  let current: { -readonly [K in keyof Case]: Case[K] } & { expected: string[] } | null = null;
  joinContinued(text).forEach(([line, number]) => {
    const place = `${name}:${number}`;
    const section = sections.at(-1);
    if (line.trim() === "" || line.startsWith("#")) return;
    if (line.startsWith("== ")) {
      sections.push({ title: line.slice(3).trim(), rows: [], cases: [] });
      labels = null;
      current = null;
    } else if (section === undefined) {
      throw new Error(`${place}: a section such as "== title" comes first`);
    } else if (line.startsWith("load ")) {
      labels = readLabels(line.slice(5), place).labels;
      current = null;
    } else if (line.startsWith("  ")) {
      if (current !== null) current.expected.push(line.trimStart());
      else if (labels !== null) section.rows.push(readRow(labels, line.slice(2), place));
      else throw new Error(`${place}: a line or an expectation without "load" or a query above it`);
    } else {
      current = { ...readQuery(line, place), expected: [], place };
      section.cases.push(current);
    }
  });
  for (const { cases } of sections) {
    for (const { expected, place } of cases) {
      if (expected.length === 0) {
        throw new Error(`${place}: no expectation; write (none) for an empty answer`);
      }
    }
  }
  return sections;
}

/** Lines with their numbers; a backslash at the end of a line joins it, newline included, with the next. */
function joinContinued(text: string): Array<[string, number]> {
  const lines: Array<[string, number]> = [];
  let isContinued = false;
  text.split("\n").forEach((line, index) => {
    const body = line.endsWith("\\") ? line.slice(0, -1) : line;
    if (isContinued) lines.at(-1)![0] += `\n${body}`;
    else lines.push([body, index + 1]);
    isContinued = line.endsWith("\\");
  });
  return lines;
}

const kinds = ["logs", "instant", "range", "labels", "values", "series", "get"] as const;

function readQuery(line: string, place: string): Omit<Case, "expected" | "place"> {
  const kind = kinds.find((known) => line === known || line.startsWith(`${known} `));
  if (kind === undefined) {
    throw new Error(`${place}: "${line}" begins with none of ${kinds.join(", ")}`);
  }
  const options: Record<string, string> = {};
  let rest = line.slice(kind.length).trim();
  const option =
    /^(?:(limit|start|end|since|step|interval|at|direction)=(\S+)|(forward|categorize))(?:\s+|$)/;
  for (let match = option.exec(rest); match !== null; match = option.exec(rest)) {
    options[match[1] ?? match[3]!] = match[2] ?? "true";
    rest = rest.slice(match[0].length);
  }
  return { kind, options, query: rest };
}

/** `<time> [+{metadata}] <line>`. */
function readRow(labels: Record<string, string>, text: string, place: string): LogRow {
  const match = /^(-?\d+(?:\.\d{1,9})?)(?: (.*))?$/s.exec(text);
  if (match === null) throw new Error(`${place}: "${text}" is no "<seconds> <line>"`);
  let rest = match[2] ?? "";
  let metadata: Record<string, string> = {};
  if (rest.startsWith("+{")) {
    const read = readLabels(rest.slice(1), place);
    metadata = read.labels;
    rest = read.rest.trimStart();
  }
  return { labels, timestampNs: timeOf(match[1]!), line: readText(rest), metadata };
}

/** Seconds since time 0, exact to the nanosecond. */
export function timeOf(seconds: string): bigint {
  const [, sign, whole, fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(seconds)!;
  const ns = BigInt(whole!) * 1_000_000_000n + BigInt((fraction ?? "").padEnd(9, "0"));
  return epochNs + (sign === "-" ? -ns : ns);
}

/** Text as it stands, or in double quotes with JSON's escapes and `\xHH` for a byte. */
export function readText(text: string): string {
  if (!/^".*"$/s.test(text)) return bytesOf(text);
  return text.slice(1, -1).split(/(\\x[0-9a-f]{2})/i).map((part) =>
    /^\\x/.test(part)
      ? String.fromCharCode(parseInt(part.slice(2), 16))
      : bytesOf(JSON.parse(`"${part}"`) as string)
  ).join("");
}

/** `{a="b", c="d"}` at the start of a text, and what follows it. */
export function readLabels(
  text: string,
  place: string,
): { readonly labels: Record<string, string>; readonly rest: string } {
  const match = /^\{\s*((?:[A-Za-z_][A-Za-z0-9_]*="(?:[^"\\]|\\.)*"\s*,?\s*)*)\}/.exec(text);
  if (match === null) {
    throw new Error(`${place}: "${text}" does not begin with labels such as {a="b"}`);
  }
  const labels: Record<string, string> = {};
  for (
    const [, name, value] of match[1]!.matchAll(/([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*")/g)
  ) {
    labels[name!] = JSON.parse(value!) as string;
  }
  return { labels, rest: text.slice(match[0].length) };
}
