/** What sources hand their lines to. Intake.ts implements it; a source knows neither stages nor batches.
 *  Invariant: lines arrive as columns: bytes, and where each line begins and ends in them. */
import type { LabelSet } from "../stages/labelSet.ts";
import type { StagePipeline } from "../stages/stage.ts";
import type { TextEncoding } from "./textEncoding.ts";
import type { Position } from "../positions/position.ts";

/** Where lines come from: a file, a connection, the journal. */
export interface Origin {
  readonly id: string;
  /** The position to keep when all that was handed over is done with but for the lines that begin at `held`, in
   *  ascending order. Undefined if this origin has nothing to go on from. */
  readonly positionBefore: (held?: ReadonlyArray<number>) => Position | undefined;
}

/** What a source's lines get: the job's pipeline and the labels of the target. */
export interface Stream {
  readonly pipeline: StagePipeline;
  readonly labels: LabelSet;
  /** Set if its bytes are not UTF-8. */
  readonly encoding?: TextEncoding | undefined;
}

/** Some lines in a row. */
export class LineColumns {
  bytes: Uint8Array = new Uint8Array(0);
  count = 0;
  /** Where line i begins and ends in `bytes`, without its line break. */
  starts = new Int32Array(1024);
  ends = new Int32Array(1024);
  /** What to add to a start to have its offset in the origin. */
  offset = 0;

  clear(bytes: Uint8Array, offset: number): void {
    this.bytes = bytes;
    this.offset = offset;
    this.count = 0;
  }

  add(start: number, end: number): void {
    if (this.count === this.starts.length) {
      this.starts = grown(this.starts);
      this.ends = grown(this.ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }
}

/** Takes lines. Everything is copied or encoded before it returns. */
export interface LineSink {
  readonly lines: (columns: LineColumns, stream: Stream, origin: Origin) => void;
  /** The origin's position has moved on, over lines that were handed over or without any. */
  readonly moved: (origin: Origin) => void;
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
