// What the list shows: entries, and notices between them (a gap, a reconnect). Owns their identity, level, size and safe
// text; rowBuffer.ts owns keeping many of them. Invariant: text that came from a log reaches the page only as text.
import type { ResolvedRange } from "./timeRange.ts";

export type Labels = Readonly<Record<string, string>>;

/** One log line. `stream` is shared by all entries of a stream; `metadata` and `parsed` are absent when empty. */
export interface Entry {
  readonly kind: "entry";
  readonly nanoseconds: string;
  readonly line: string;
  readonly stream: Labels;
  readonly metadata?: Labels;
  readonly parsed?: Labels;
}

/** A remark between entries; with `missing`, the range in which lines exist that the list does not show. */
export interface Notice {
  readonly kind: "notice";
  readonly text: string;
  readonly missing?: ResolvedRange;
}

export type Row = Entry | Notice;

export type Level = "critical" | "error" | "warn" | "info" | "debug" | "trace" | "unknown";

/** Memory a row is counted with: two bytes a character, and what the engine keeps around an object. */
export function rowBytes(row: Row): number {
  const overheadBytes = 160;
  if (row.kind === "notice") return overheadBytes + 2 * row.text.length;
  return overheadBytes + 2 * row.line.length + labelBytes(row.metadata) + labelBytes(row.parsed);
}

/** All labels of an entry as one map, as Loki folds them when they are not asked for by category. */
export function allLabels(entry: Entry): Labels {
  return { ...entry.stream, ...entry.metadata, ...entry.parsed };
}

/** A short name of an entry for the page's address: its time and a hash of the rest. */
export function entryName(entry: Entry): string {
  const labels = Object.entries(allLabels(entry)).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([labels, entry.line]);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `${entry.nanoseconds}-${(hash >>> 0).toString(36)}`;
}

/** The level the server detected, in one of seven words. */
export function levelOf(entry: Entry): Level {
  const text = entry.metadata?.detected_level ?? entry.stream.detected_level ??
    entry.parsed?.level ?? entry.stream.level ?? entry.metadata?.level ?? "";
  return levelNamed(text);
}

/** The level that a text names. */
export function levelNamed(text: string): Level {
  return levels[text.toLowerCase()] ?? "unknown";
}

/** From the worst to the least, as bars are stacked and legends listed. */
export const levelNames: readonly Level[] = [
  "critical",
  "error",
  "warn",
  "info",
  "debug",
  "trace",
  "unknown",
];

/** The label that names where an entry came from, for the source column. */
export function sourceOf(entry: Entry): string {
  for (const name of sourceLabels) {
    const value = entry.stream[name];
    if (value !== undefined && value !== "unknown_service") return value;
  }
  return Object.values(entry.stream)[0] ?? "";
}

/** Characters of a line that a wrapped row of the list draws; the drawer shows the rest. */
export const rowCharactersMax = 2000;

/** The value of a field or label, the most specific first; undefined when the entry has none of that name. */
export function fieldOf(entry: Entry, name: string): string | undefined {
  return entry.parsed?.[name] ?? entry.metadata?.[name] ?? entry.stream[name];
}

/** Makes characters that would act on the page's layout visible instead. */
export function visibleText(text: string, multiline: boolean): string {
  return text.replace(actingCharacter, (char) => {
    if (char === "\t") return char;
    if (char === "\n") return multiline ? char : " \u21b5 ";
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

// deno-lint-ignore no-control-regex -- control characters are what this looks for
const actingCharacter = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/g;

const sourceLabels = [
  "service_name",
  "service",
  "app",
  "application",
  "container",
  "job",
  "unit",
  "filename",
];

const levels: Record<string, Level> = {
  fatal: "critical",
  critical: "critical",
  crit: "critical",
  panic: "critical",
  alert: "critical",
  emerg: "critical",
  error: "error",
  err: "error",
  warn: "warn",
  warning: "warn",
  wrn: "warn",
  notice: "info",
  info: "info",
  information: "info",
  inf: "info",
  debug: "debug",
  dbg: "debug",
  trace: "trace",
  trc: "trace",
};

function labelBytes(labels: Labels | undefined): number {
  if (labels === undefined) return 0;
  let bytes = 64;
  for (const name in labels) bytes += 32 + 2 * (labels[name]?.length ?? 0);
  return bytes;
}
