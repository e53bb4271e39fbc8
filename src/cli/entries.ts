/** Log lines as the API gives them: decoding an answer into entries in order of time, and remembering which entries at a
 *  boundary timestamp have been shown, so that paging and reconnecting neither lose nor repeat one. */
import { Schema } from "effect";

/** One line. `timestamp` is nanoseconds since 1970, as digits. */
export interface Entry {
  readonly timestamp: string;
  readonly line: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly structuredMetadata: Readonly<Record<string, string>>;
  readonly parsed: Readonly<Record<string, string>>;
}

/** Asks for labels, metadata and parsed labels apart. */
export const categorizeLabels = { "x-loki-response-encoding-flags": "categorize-labels" };

const Labels = Schema.Record(Schema.String, Schema.String);

/** The `streams` of a query's result or of a tail's frame. */
export const Streams = Schema.Array(Schema.Struct({
  stream: Labels,
  values: Schema.Array(Schema.TupleWithRest(
    Schema.Tuple([Schema.String, Schema.String]),
    [Schema.Struct({
      structuredMetadata: Schema.optionalKey(Labels),
      parsed: Schema.optionalKey(Labels),
    })],
  )),
}));

/** The entries of all streams, oldest or newest first; entries of one timestamp stay in the order they came in. */
export function sortedEntries(
  streams: typeof Streams.Type,
  direction: "forward" | "backward",
): Array<Entry> {
  const entries = streams.flatMap(({ stream, values }) =>
    values.map(([timestamp, line, extra]): Entry => ({
      timestamp,
      line,
      labels: stream,
      structuredMetadata: extra?.structuredMetadata ?? {},
      parsed: extra?.parsed ?? {},
    }))
  );
  const sign = direction === "forward" ? 1 : -1;
  return entries.sort((left, right) => sign * compareTimestamps(left.timestamp, right.timestamp));
}

/** Remembers the entries that carry the last timestamp seen. */
export class Boundary {
  #timestamp: string | undefined;
  readonly #seen = new Set<string>();

  /** The timestamp of the last entry, to continue from, and how many entries of it have been seen. */
  get timestamp(): string | undefined {
    return this.#timestamp;
  }

  get seenCount(): number {
    return this.#seen.size;
  }

  /** True the first time an entry at the boundary, or any entry beyond it, comes by. */
  isNew(entry: Entry): boolean {
    if (entry.timestamp !== this.#timestamp) {
      this.#timestamp = entry.timestamp;
      this.#seen.clear();
    }
    // The server stores one of entries that agree in all of this.
    const key = JSON.stringify([entry.labels, entry.structuredMetadata, entry.line]);
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }
}

/** Orders timestamps written as digits. */
export function compareTimestamps(left: string, right: string): number {
  const difference = left.length - right.length;
  if (difference !== 0) return difference;
  return left < right ? -1 : left > right ? 1 : 0;
}
