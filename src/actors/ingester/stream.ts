/** The actor of one log stream: owns the stream's unflushed rows (references into batches, not copies), tells queries about
 *  them, and has them built into chunks when its partition cuts a segment. Its state can be lost: the partition rebuilds it
 *  from the write log, so any failure is the partition's failure.
 *  Invariant: slices are in log order, and each row is here from Append until the SegmentCommitted that covers it. */
import type { Behaviour, Handler } from "../runtime/Actor.ts";
import type { HeadSlice } from "../protocol/head.ts";
import type { SealDone, StreamMessage } from "../protocol/ingester.ts";
import type { ChunkBuilder } from "./ChunkBuilder.ts";

/** The behaviour of the stream with this canonical label string. */
export function streamBehaviour(
  labels: string,
  chunkBuilder: ChunkBuilder,
): Behaviour<StreamMessage> {
  return {
    kind: "stream",
    // One slice a batch: a full mailbox means that this thread is behind, and the partition waits.
    mailbox: { capacity: 4096 },
    supervision: { decide: () => "escalate", restartsMax: 0, windowMs: 1000 },
    start: () => new StreamHandler(labels, chunkBuilder),
  };
}

class StreamHandler implements Handler<StreamMessage> {
  readonly #labels: string;
  readonly #chunkBuilder: ChunkBuilder;
  #slices: HeadSlice[] = [];

  constructor(labels: string, chunkBuilder: ChunkBuilder) {
    this.#labels = labels;
    this.#chunkBuilder = chunkBuilder;
  }

  readonly receive = (message: StreamMessage): void => {
    switch (message.type) {
      case "Append":
        this.#slices.push(message.slice);
        return;
      case "Seal":
        return this.#seal(message.logTo, message.done);
      case "Describe": {
        const { start, end } = message.range;
        const slices = this.#slices.filter((slice) =>
          slice.minTime < end && slice.maxTime >= start
        );
        return message.done({ labels: this.#labels, slices });
      }
      case "SegmentCommitted":
        this.#slices = this.#slices.filter((slice) => slice.offset >= message.logTo);
    }
  };

  readonly idle = (): boolean => this.#slices.length === 0;

  readonly observe = () => ({ slices: this.#slices.length });

  #seal(logTo: number, done: SealDone): void {
    const slices = this.#slices.filter((slice) => slice.offset < logTo);
    if (slices.length === 0) done([]);
    else this.#chunkBuilder.submit(slices, done);
  }
}
