/** Writes rows as Loki's `streams`: grouped, labels as objects, timestamps as decimal strings of ns. By default structured metadata
 *  folds into the stream's labels, one group for each full label set; with categorize-labels it stays with each value. */
import { foldMetadata } from "../logql/labelFilter.ts";
import { type Labels, parseLabels } from "../streams/labels.ts";
import { decodeMetadata } from "../streams/metadata.ts";

/** A row to write. */
export interface EncodableRow {
  readonly time: bigint;
  readonly labels: string;
  readonly line: Uint8Array;
  readonly meta: Uint8Array;
}

/** The JSON array of stream groups, ordered by their labels; rows keep their order within a group. */
export function encodeStreams(rows: Iterable<EncodableRow>, categorize: boolean): string {
  const groups = new Map<string, { readonly head: string; readonly values: string[] }>();
  const metadata = new MetadataCache();
  for (const row of rows) {
    const pairs = metadata.pairsOf(row.meta);
    const key = categorize || pairs === undefined ? row.labels : `${row.labels}\n${pairs.key}`;
    let group = groups.get(key);
    if (group === undefined) {
      const labels = parseLabels(row.labels);
      const all = categorize || pairs === undefined ? labels : foldMetadata(labels, pairs.labels);
      groups.set(key, group = { head: JSON.stringify(Object.fromEntries(all)), values: [] });
    }
    group.values.push(encodeValue(row, categorize, pairs));
  }
  const ordered = [...groups].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return `[${
    ordered.map(([, { head, values }]) => `{"stream":${head},"values":[${values.join(",")}]}`).join(
      ",",
    )
  }]`;
}

function encodeValue(
  row: EncodableRow,
  categorize: boolean,
  pairs: MetadataPairs | undefined,
): string {
  const line = JSON.stringify(decoder.decode(row.line));
  if (!categorize) return `["${row.time}",${line}]`;
  const third = pairs === undefined ? "{}" : `{"structuredMetadata":${pairs.json}}`;
  return `["${row.time}",${line},${third}]`;
}

interface MetadataPairs {
  readonly key: string;
  readonly labels: Labels;
  readonly json: string;
}

/** Most rows share a few sets: each is decoded once. */
class MetadataCache {
  readonly #sets = new Map<string, MetadataPairs>();

  pairsOf(meta: Uint8Array): MetadataPairs | undefined {
    if (meta.length === 0) return undefined;
    const key = latin1.decode(meta);
    let pairs = this.#sets.get(key);
    if (pairs === undefined) {
      if (this.#sets.size >= setsMax) this.#sets.clear();
      const labels = decodeMetadata(meta, 0, meta.length);
      pairs = { key, labels, json: JSON.stringify(Object.fromEntries(labels)) };
      this.#sets.set(key, pairs);
    }
    return pairs;
  }
}

const setsMax = 10_000;
/** U+FFFD for what is not UTF-8; a byte order mark is part of the line. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const latin1 = new TextDecoder("latin1");
