/** Messages of the partition and stream actors. Commands are imperative, events past tense. */
import type { Reply } from "../runtime/Actor.ts";
import type { Batch } from "../../streams/batch.ts";
import type { Matcher } from "../../streams/matcher.ts";
import type { TimeRange } from "../../streams/record.ts";
import type { BuiltChunk } from "../../streams/chunkWriter.ts";
import type { HeadSlice, HeadSnapshot, HeadStream } from "./head.ts";

/** Which unflushed rows a query may need. */
export interface HeadQuery {
  readonly tenant: string;
  readonly matchers: ReadonlyArray<Matcher>;
  readonly range: TimeRange;
  /** Which streams have such rows is all that is asked; the rows themselves may be left out. */
  readonly labelsOnly?: boolean;
}

export type PartitionMessage =
  /** A batch that the log holds at this offset. Offsets come in order; what is already known is ignored. */
  | { readonly type: "Append"; readonly offset: number; readonly batch: Batch }
  | { readonly type: "Describe"; readonly query: HeadQuery; readonly reply: Reply<HeadSnapshot> }
  /** Cut a segment of everything received so far; answered when it is committed. */
  | { readonly type: "Flush"; readonly reply: Reply<void, Error> }
  | { readonly type: "Tick" }
  | { readonly type: "SegmentCommitted"; readonly logTo: number }
  | { readonly type: "CutFailed"; readonly error: Error };

export type StreamMessage =
  | { readonly type: "Append"; readonly slice: HeadSlice }
  /** Build chunks of all rows below this log offset, and keep the rows until SegmentCommitted. */
  | { readonly type: "Seal"; readonly logTo: number; readonly done: SealDone }
  | {
    readonly type: "Describe";
    readonly range: TimeRange;
    readonly done: (stream: HeadStream) => void;
  }
  | { readonly type: "SegmentCommitted"; readonly logTo: number };

export type SealDone = (chunks: ReadonlyArray<BuiltChunk> | Error) => void;
