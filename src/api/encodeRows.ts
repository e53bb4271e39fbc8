/** Writes rows as Loki's `streams`: grouped, labels as objects, timestamps as decimal strings of
 *  ns. By default structured metadata and parsed labels fold into the stream's labels, one group
 *  for each full label set; with categorize-labels they stay with each value. */
import { Effect } from "effect";
import { formatLabels, type Labels, parseLabels } from "../streams/labels.ts";
import { decodeMetadata, type Metadata } from "../streams/metadata.ts";

/** A row to write: `labels` is a canonical label string; `meta` and `parsed` are sets as
 *  streams/metadata.ts writes them. */
export interface EncodableRow {
  readonly time: bigint;
  readonly labels: string;
  readonly line: Uint8Array;
  readonly meta: Uint8Array;
  readonly parsed: Uint8Array;
}

/** The JSON array of stream groups, ordered by their labels; rows keep their order within a group. */
export function encodeStreams(rows: Iterable<EncodableRow>, categorize: boolean): string {
  const streams = new StreamGroups(categorize);
  for (const row of rows) streams.add(row);
  return [...streams.texts()].join("");
}

/** About how many bytes of JSON rows become. */
export function encodedBytes(rows: ReadonlyArray<EncodableRow>): number {
  return rows.reduce(
    (sum, { line, meta, parsed }) =>
      sum + encodedRowBytes + line.length + meta.length +
      parsed.length,
    0,
  );
}

/** The same of many rows, as UTF-8 in pieces, with a pause for others after each megabyte. */
export const encodeStreamsInTurns = Effect.fnUntraced(function* (
  rows: Iterable<EncodableRow>,
  categorize: boolean,
) {
  const streams = new StreamGroups(categorize);
  let bytes = 0;
  for (const row of rows) {
    streams.add(row);
    bytes += rowBytesLeast + row.line.length + row.meta.length + row.parsed.length;
    if (bytes < turnBytes) continue;
    bytes = 0;
    yield* Effect.yieldNow;
  }
  const pieces: Uint8Array[] = [];
  let texts: string[] = [];
  for (const text of streams.texts()) {
    texts.push(text);
    bytes += text.length;
    if (bytes < turnBytes) continue;
    pieces.push(encoder.encode(texts.join("")));
    [texts, bytes] = [[], 0];
    yield* Effect.yieldNow;
  }
  return [...pieces, encoder.encode(texts.join(""))];
});

/** Bytes of one turn, which takes some milliseconds, and what a row counts for whatever its line. */
const turnBytes = 1024 * 1024;
const rowBytesLeast = 200;
/** Of a value besides its line: a timestamp, quotes and brackets. */
const encodedRowBytes = 30;

/** Rows by the label set that they are answered under. */
class StreamGroups {
  readonly #categorize: boolean;
  readonly #groups = new Map<string, Group>();
  readonly #cache = new LabelCache();

  constructor(categorize: boolean) {
    this.#categorize = categorize;
  }

  add(row: EncodableRow): void {
    const labels = this.#cache.labelsOf(row);
    const key = this.#categorize ? row.labels : labels.key;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const head = this.#categorize ? parseLabels(row.labels) : labels.folded;
      this.#groups.set(key, group = { head: objectOf(head), rows: [], thirds: [] });
    }
    group.rows.push(row);
    if (this.#categorize) group.thirds.push(labels.categorized);
  }

  /** The JSON, piece by piece: no more than one row is a text at a time. */
  *texts(): Iterable<string> {
    const ordered = [...this.#groups].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
    let between = "[";
    for (const [, { head, rows, thirds }] of ordered) {
      yield `${between}{"stream":${head},"values":[`;
      for (let index = 0; index < rows.length; index++) {
        const { time, line } = rows[index]!;
        const third = this.#categorize ? `,${thirds[index]!}` : "";
        const comma = index === 0 ? "" : ",";
        yield `${comma}["${time}",${JSON.stringify(decoder.decode(line))}${third}]`;
      }
      yield "]}";
      between = ",";
    }
    yield between === "[" ? "[]" : "]";
  }
}

/** Rows that are answered under one label set. */
interface Group {
  /** That set as JSON. */
  readonly head: string;
  readonly rows: EncodableRow[];
  /** With categorize-labels, JSON of the third element of each value. */
  readonly thirds: string[];
}

/** The labels of rows that share all three kinds. */
interface RowLabels {
  /** Equal for equal folded labels, and ordered as label strings are. */
  readonly key: string;
  readonly folded: Labels;
  /** JSON of the third element of a value. */
  readonly categorized: string;
}

/** Most rows share a few label sets: each is decoded once. */
class LabelCache {
  #known = new Map<string, RowLabels>();

  labelsOf({ labels, meta, parsed }: EncodableRow): RowLabels {
    const bytes = meta.length === 0 && parsed.length === 0
      ? labels
      : `${labels}\n${meta.length}\n${latin1.decode(meta)}${latin1.decode(parsed)}`;
    let found = this.#known.get(bytes);
    if (found === undefined) {
      if (this.#known.size >= setsMax) this.#known = new Map();
      const stream = parseLabels(labels);
      const metadata = renameHidden(stream, decodeMetadata(meta, 0, meta.length));
      const parsedLabels = decodeMetadata(parsed, 0, parsed.length);
      const folded = fold(stream, metadata, parsedLabels);
      found = {
        key: formatLabels(folded),
        folded,
        categorized: categorize(metadata, parsedLabels),
      };
      this.#known.set(bytes, found);
    }
    return found;
  }
}

/** Metadata whose name the stream has becomes name_extracted, and is left out if that name is taken
 *  too. Rows that went through stages have these names already. */
function renameHidden(stream: Labels, metadata: Metadata): Metadata {
  const streamNames = new Set(stream.map(([name]) => name));
  if (!metadata.some(([name]) => streamNames.has(name))) return metadata;
  const renamed = new Map(metadata.filter(([name]) => !streamNames.has(name)));
  for (const [name, value] of metadata) {
    const extracted = `${name}_extracted`;
    if (!streamNames.has(name) || streamNames.has(extracted) || renamed.has(extracted)) continue;
    renamed.set(extracted, value);
  }
  return [...renamed];
}

/** All labels by name; a parsed one hides metadata, which hides a stream label. */
function fold(stream: Labels, metadata: Metadata, parsed: Metadata): Labels {
  const all = new Map([...stream, ...metadata, ...parsed]);
  return [...all].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

function categorize(metadata: Metadata, parsed: Metadata): string {
  const parts: string[] = [];
  if (metadata.length > 0) parts.push(`"structuredMetadata":${objectOf(metadata)}`);
  if (parsed.length > 0) parts.push(`"parsed":${objectOf(parsed)}`);
  return `{${parts.join(",")}}`;
}

/** By hand, since an object's "__proto__" would be lost and names of digits would come first. */
function objectOf(labels: Labels): string {
  return `{${
    labels.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")
  }}`;
}

const setsMax = 10_000;
const encoder = new TextEncoder();
/** U+FFFD for what is not UTF-8; a byte order mark is part of the line. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const latin1 = new TextDecoder("latin1");
