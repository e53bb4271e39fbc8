/** Head snapshots between processes: the question as JSON; the answer as byte strings: a JSON
 *  header, then for each batch with matching rows its log offset (f64, little-endian) and an
 *  encoded batch of those rows alone; when labels are all that was asked for, the header has them. Pure. */
import { AnswerRefused } from "../../cluster/frames.ts";
import {
  type Batch,
  buildBatch,
  decodeBatch,
  encodeBatch,
  type RowSlice,
} from "../../streams/batch.ts";
import { makeMatcher } from "../../streams/matcher.ts";
import {
  headBytes,
  type HeadSlice,
  type HeadSnapshot,
  type HeadStream,
  HeadTooLarge,
} from "../protocol/head.ts";
import type { HeadQuery } from "../protocol/ingester.ts";
import { headSlice } from "./headSlice.ts";

/** What is asked of an owner. */
export interface HeadQuestion {
  readonly query: HeadQuery;
  /** If the rows are more bytes, how many they are is the answer. */
  readonly bytesMax: number;
}

export function encodeHeadQuestion({ query, bytesMax }: HeadQuestion): string {
  const { tenant, matchers, range, labelsOnly } = query;
  return JSON.stringify({
    tenant,
    matchers: matchers.map(({ name, op, value }) => ({ name, op, value })),
    start: String(range.start),
    end: String(range.end),
    labelsOnly,
    bytesMax,
  });
}

export function decodeHeadQuestion(data: Uint8Array): HeadQuestion {
  const asked = JSON.parse(new TextDecoder().decode(data)) as {
    readonly tenant: string;
    readonly matchers: ReadonlyArray<Parameters<typeof matcherOf>[0]>;
    readonly start: string;
    readonly end: string;
    readonly labelsOnly?: boolean;
    readonly bytesMax?: number;
  };
  const { tenant, matchers, start, end, labelsOnly = false, bytesMax = Infinity } = asked;
  const range = { start: BigInt(start), end: BigInt(end) };
  return { query: { tenant, matchers: matchers.map(matcherOf), range, labelsOnly }, bytesMax };
}

function matcherOf(
  { name, op, value }: {
    readonly name: string;
    readonly op: Parameters<typeof makeMatcher>[1];
    readonly value: string;
  },
) {
  return makeMatcher(name, op, value);
}

/** The answer. Throws AnswerRefused, which `tooLargeIn` understands, if it were larger than was asked for. */
export function encodeHead(
  head: HeadSnapshot,
  { query: { tenant, labelsOnly }, bytesMax }: HeadQuestion,
): Iterable<Uint8Array> {
  if (labelsOnly) return [encodeLabels(head)];
  const bytes = headBytes(head);
  if (bytes > bytesMax) throw new AnswerRefused(tooLarge, String(bytes));
  return encodeRows(head, tenant);
}

const tooLarge = "HeadTooLarge";

/** What an owner said if the rows are more than was asked for. */
export function tooLargeIn(error: unknown): HeadTooLarge | undefined {
  if (!(error instanceof AnswerRefused) || error.reason !== tooLarge) return undefined;
  return new HeadTooLarge(Number(error.message));
}

function encodeLabels({ partition, logFrom, logTo, streams }: HeadSnapshot): Uint8Array {
  const labels = streams.map((stream) => stream.labels);
  return new TextEncoder().encode(
    JSON.stringify({ partition, logFrom, logTo, batches: 0, labels }),
  );
}

function* encodeRows(head: HeadSnapshot, tenant: string): Generator<Uint8Array> {
  const { partition, logFrom, logTo, streams } = head;
  const byOffset = new Map<number, Array<{ labels: string; slice: HeadSlice }>>();
  for (const { labels, slices } of streams) {
    for (const slice of slices) {
      const same = byOffset.get(slice.offset);
      if (same === undefined) byOffset.set(slice.offset, [{ labels, slice }]);
      else same.push({ labels, slice });
    }
  }
  yield new TextEncoder().encode(
    JSON.stringify({ partition, logFrom, logTo, batches: byOffset.size }),
  );
  const inOrder = [...byOffset].sort(([a], [b]) => a - b);
  for (const [offset, entries] of inOrder) {
    // In the order they have in the batch, which is their order of arrival.
    entries.sort((a, b) => a.slice.rowStart - b.slice.rowStart);
    const slices = entries.map(({ labels, slice }): RowSlice => ({
      labels,
      rowStart: slice.rowStart,
      rowEnd: slice.rowEnd,
    }));
    const rows = encodeBatch(buildBatch(tenant, slices, entries[0]!.slice.batch), "none");
    const bytes = new Uint8Array(8 + rows.length);
    new DataView(bytes.buffer).setFloat64(0, offset, true);
    bytes.set(rows, 8);
    yield bytes;
  }
}

/** Makes a head of the byte strings of encodeHead, of which it keeps none. */
export class HeadDecoder {
  #header: HeadHeader | undefined;
  #batches = 0;
  readonly #streams = new Map<string, HeadSlice[]>();

  /** Takes the next one. Throws an Error or FormatError if it is not what encodeHead made. */
  readonly take = (bytes: Uint8Array): void => {
    if (this.#header === undefined) {
      this.#header = JSON.parse(new TextDecoder().decode(bytes)) as HeadHeader;
      for (const labels of this.#header.labels ?? []) this.#streams.set(labels, []);
      return;
    }
    this.#batches++;
    const offset = new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
    addSlices(this.#streams, decodeBatch(bytes.subarray(8)), offset, () => true);
  };

  /** After the last one. Throws an Error if some are missing. */
  end(): HeadSnapshot {
    if (this.#header === undefined) throw new Error("the answer is empty");
    const { partition, logFrom, logTo, batches } = this.#header;
    if (batches !== this.#batches) throw new Error(`${this.#batches} of ${batches} batches came`);
    return { partition, logFrom, logTo, streams: streamsOf(this.#streams) };
  }
}

interface HeadHeader {
  readonly partition: number;
  readonly logFrom: number;
  readonly logTo: number;
  readonly batches: number;
  readonly labels?: ReadonlyArray<string>;
}

/** Adds the slices of a batch whose stream is `wanted`; the result is how many. */
export function addSlices(
  streams: Map<string, HeadSlice[]>,
  batch: Batch,
  offset: number,
  wanted: (labels: string, slice: HeadSlice) => boolean,
): number {
  let count = 0;
  for (let index = 0; index < batch.sliceCount; index++) {
    const labels = batch.labelsOf(index);
    const slice = headSlice(batch, offset, index);
    if (slice.rowEnd === slice.rowStart || !wanted(labels, slice)) continue;
    const same = streams.get(labels);
    if (same === undefined) streams.set(labels, [slice]);
    else same.push(slice);
    count++;
  }
  return count;
}

export function streamsOf(streams: ReadonlyMap<string, HeadSlice[]>): ReadonlyArray<HeadStream> {
  return [...streams].map(([labels, slices]) => ({ labels, slices }));
}
