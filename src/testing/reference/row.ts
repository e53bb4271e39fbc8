/** Log lines as plain objects, and one line on its way through a pipeline: what the reference evaluator works on. It knows no
 *  column, no chunk and none of the engine's code. Invariant: a line is a string of bytes, one character below U+0100 each, so
 *  that lines that are no UTF-8 are what they are. */

export type LabelMap = Readonly<Record<string, string>>;

/** A line as it was pushed. */
export interface LogRow {
  readonly labels: LabelMap;
  readonly timestampNs: bigint;
  /** Bytes, one character each. */
  readonly line: string;
  readonly metadata: LabelMap;
}

/** A line between two stages. */
export interface Entry {
  readonly row: LogRow;
  /** Bytes, one character each. */
  line: string;
  readonly stream: Map<string, string>;
  readonly metadata: Map<string, string>;
  readonly parsed: Map<string, string>;
  error: string | null;
  hasDetails: boolean;
  /** Whether a filter on `__error__` saw the error and let the line pass: then it is no failure of a metric query. */
  isErrorWanted: boolean;
}

/** What stands for the text of `__error_details__`, whose wording is nobody's business. */
export const anyDetails = "*";

/** Metadata that has the name of a stream label gets a suffix. */
export function entryOf(row: LogRow): Entry {
  const metadata = Object.entries(row.metadata).map(([name, value]): [string, string] => [
    Object.hasOwn(row.labels, name) ? `${name}_extracted` : name,
    value,
  ]);
  return {
    row,
    line: row.line,
    stream: new Map(Object.entries(row.labels)),
    metadata: new Map(metadata),
    parsed: new Map(),
    error: null,
    hasDetails: false,
    isErrorWanted: false,
  };
}

/** The value of a label: parsed before metadata before stream. */
export function lookUp(entry: Entry, name: string): string | undefined {
  if (name === "__error__") return entry.error ?? undefined;
  if (name === "__error_details__") return entry.hasDetails ? anyDetails : undefined;
  return entry.parsed.get(name) ?? entry.metadata.get(name) ?? entry.stream.get(name);
}

/** All labels in one set, as answers show them by default. */
export function foldedLabels(entry: Entry): Record<string, string> {
  return Object.fromEntries([...entry.stream, ...entry.metadata, ...parsedLabels(entry)]);
}

/** Parsed labels, errors among them. */
export function parsedLabels(entry: Entry): Array<[string, string]> {
  const pairs = [...entry.parsed];
  if (entry.error !== null) pairs.push(["__error__", entry.error]);
  if (entry.hasDetails) pairs.push(["__error_details__", anyDetails]);
  return pairs;
}

/** The first error sticks. */
export function fail(entry: Entry, error: string): void {
  if (entry.error !== null) return;
  entry.error = error;
  entry.hasDetails = true;
  entry.isErrorWanted = false;
}

/** What a parser found: a name that the line's stream or metadata has gets a suffix; a name that was parsed before stays. */
export function extract(entry: Entry, name: string, value: string): void {
  const { labels, metadata } = entry.row;
  const taken = Object.hasOwn(labels, name) || Object.hasOwn(metadata, name);
  const key = taken ? `${name}_extracted` : name;
  if (!entry.parsed.has(key)) entry.parsed.set(key, value);
}

/** What label_format sets: it hides any other label of the name. */
export function assign(entry: Entry, name: string, value: string): void {
  remove(entry, name);
  entry.parsed.set(name, value);
}

/** A new name for a label, which becomes a parsed one. */
export function rename(entry: Entry, from: string, to: string): void {
  const value = lookUp(entry, from);
  if (value === undefined) return;
  assign(entry, to, value);
  remove(entry, from);
}

export function remove(entry: Entry, name: string): void {
  if (name === "__error__") entry.error = null;
  if (name === "__error_details__") entry.hasDetails = false;
  for (const labels of [entry.stream, entry.metadata, entry.parsed]) labels.delete(name);
}

/** Text as bytes, one character each. */
export function bytesOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** Bytes as text; what is no UTF-8 reads as U+FFFD. */
export function textOf(bytes: string): string {
  const array = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(array);
}

/** `{a="b", c="d"}` in the order of names: identifies and orders label sets. */
export function labelText(labels: LabelMap): string {
  const names = Object.keys(labels).sort(byBytes);
  return `{${names.map((name) => `${name}=${JSON.stringify(labels[name])}`).join(", ")}}`;
}

/** The order of series: name by name, each with its value; of two that agree so far the shorter one first. */
export function compareLabels(a: LabelMap, b: LabelMap): number {
  const pairs = (labels: LabelMap) =>
    Object.entries(labels).sort(([a], [b]) => byBytes(a, b)).flat();
  const [left, right] = [pairs(a), pairs(b)];
  for (const [index, text] of left.entries()) {
    if (index >= right.length) return 1;
    const order = byBytes(text, right[index]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Orders text by its UTF-8 bytes, which is by code points. */
export function byBytes(a: string, b: string): number {
  const left = bytesOf(a);
  const right = bytesOf(b);
  return left < right ? -1 : left > right ? 1 : 0;
}
