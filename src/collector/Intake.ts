/** Where all lines of all sources meet: each goes through its job's stages into the batch being built, on the
 *  stack of the source that hands it over. Owns when a batch is sealed and which positions go with it;
 *  delivery/ owns what happens then.
 *
 *  A batch is sealed when it is large enough, or old enough, together with the positions of everything it
 *  covers, and becomes one record of the disk buffer. Lines that stages hold back keep their origin's
 *  position before them.
 *  Invariant: lines and the positions behind them are sealed together. */
import { NanosecondClock } from "../platform/clock.ts";
import { BatchBuilder, type PushRequestDraft } from "./delivery/BatchBuilder.ts";
import type { Position } from "./positions/position.ts";
import { StageEntry } from "./stages/entry.ts";
import type { LabelSet } from "./stages/labelSet.ts";
import type { StagePipeline } from "./stages/stage.ts";
import type { LineColumns, LineSink, Origin, Stream } from "./tailing/lineSink.ts";

/** Ticks that are farther apart mean that there was no room, ms. */
const pauseMs = 1_000;

/** What a batch may weigh beyond its bytes: short lines of very many streams. */
const weightMax = 16 << 20;

/** What leaves the intake: pushes to be, and the positions that they reach. */
export interface SealedBatch {
  readonly requests: ReadonlyArray<PushRequestDraft>;
  readonly positions: ReadonlyArray<Position>;
}

export interface IntakeOptions {
  readonly externals: ReadonlyArray<LabelSet>;
  readonly batchBytes: number;
  readonly batchWaitMs: number;
  readonly nowMs: () => number;
  /** Takes a sealed batch. Called on the stack of whoever completed it. */
  readonly onSealed: (batch: SealedBatch) => void;
  /** Sees each entry as it is added, for limits and metrics; false leaves it out. */
  readonly admit?: (entry: StageEntry) => boolean;
}

export class Intake implements LineSink {
  readonly #options: IntakeOptions;
  readonly #builder: BatchBuilder;
  readonly #clock: NanosecondClock;
  readonly #entry = new StageEntry();
  readonly #pipelines = new Set<StagePipeline>();
  /** Origins whose position has not been sealed as far as they have got. */
  readonly #moved = new Set<Origin>();
  #openedMs: number | undefined;
  #tickedMs: number | undefined;
  /** Until then sources get time to hand over what continues the lines that stages hold. */
  #restUntilMs = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#builder = new BatchBuilder(options.externals);
    this.#clock = new NanosecondClock(options.nowMs);
  }

  /** Pipelines are known from their first line on; one that is not used any more must be removed. */
  removePipeline(pipeline: StagePipeline): void {
    this.#pipelines.delete(pipeline);
  }

  /** What stages hand their entries to. */
  readonly add = (entry: StageEntry): void => {
    if (this.#options.admit?.(entry) === false) return;
    this.#openedMs ??= this.#options.nowMs();
    this.#builder.add(entry);
  };

  lines(columns: LineColumns, stream: Stream, origin: Origin): void {
    this.#sealIfFull();
    const { bytes, starts, ends, count, offset } = columns;
    const { pipeline, labels, encoding } = stream;
    const entry = this.#entry;
    const clock = this.#clock;
    this.#pipelines.add(pipeline);
    clock.tick();
    for (let index = 0; index < count; index++) {
      const start = starts[index]!;
      // Lines of one stream that are the same and have the same time would be one.
      clock.step();
      const { seconds, nanoseconds } = clock;
      const end = ends[index]!;
      entry.reset(labels, bytes, start, end, seconds, nanoseconds, origin, offset + start);
      if (encoding !== undefined) {
        const line = encoding.toUtf8(bytes.subarray(start, end));
        entry.replaceBytes(line, 0, line.byteLength);
      }
      pipeline.process(entry);
    }
    this.#note(origin);
  }

  /** One line with a time of its own, in nanoseconds. */
  line(
    bytes: Uint8Array,
    time: { readonly seconds: number; readonly nanos: number } | undefined,
    stream: Stream,
    origin: Origin,
    offset: number,
    metadata: ReadonlyArray<readonly [string, string]> = [],
  ): void {
    this.#sealIfFull();
    const { pipeline, labels } = stream;
    const entry = this.#entry;
    this.#pipelines.add(pipeline);
    this.#clock.tick();
    const seconds = time?.seconds ?? this.#clock.seconds;
    const nanos = time?.nanos ?? this.#clock.nanoseconds;
    entry.reset(labels, bytes, 0, bytes.byteLength, seconds, nanos, origin, offset);
    entry.metadata.push(...metadata);
    pipeline.process(entry);
    this.#note(origin);
  }

  moved(origin: Origin): void {
    this.#note(origin);
    this.#sealIfFull();
  }

  #note(origin: Origin): void {
    this.#moved.add(origin);
    this.#openedMs ??= this.#options.nowMs();
  }

  /** Not right after lines were taken: their origin moves its position on when that has returned, and a batch
   *  without the positions of its lines would be read again after a crash. */
  #sealIfFull(): void {
    const { batchBytes } = this.#options;
    const { bytes, weight } = this.#builder;
    if (bytes >= batchBytes || weight >= batchBytes + weightMax) this.seal();
  }

  /** To be called about every 100 ms: lets stages give up what they have held for long enough, and seals a
   *  batch that has waited for long enough. */
  tick(): void {
    const nowMs = this.#options.nowMs();
    // Nothing was read while there was no room, so that nothing has waited in vain meanwhile.
    if (nowMs - (this.#tickedMs ?? nowMs) > pauseMs) this.#restUntilMs = nowMs + pauseMs;
    this.#tickedMs = nowMs;
    if (nowMs >= this.#restUntilMs || this.#restUntilMs - nowMs > pauseMs) {
      for (const pipeline of this.#pipelines) pipeline.tick(nowMs);
    }
    if (this.#openedMs === undefined) return;
    const waitedMs = nowMs - this.#openedMs;
    if (waitedMs >= this.#options.batchWaitMs || waitedMs < 0) this.seal();
  }

  /** Ends the batch being built. */
  seal(): void {
    this.#openedMs = undefined;
    const positions = this.#takePositions();
    const requests = this.#builder.take();
    if (requests.length > 0 || positions.length > 0) {
      this.#options.onSealed({ requests, positions });
    }
  }

  #takePositions(): ReadonlyArray<Position> {
    // By id: what is left of a file that was truncated is another origin with the same content.
    const held = new Map<string, number[]>();
    for (const pipeline of this.#pipelines) {
      pipeline.eachHeld((origin, offset) => {
        const { id } = origin as Origin;
        const offsets = held.get(id);
        if (offsets === undefined) held.set(id, [offset]);
        else offsets.push(offset);
      });
    }
    for (const offsets of held.values()) offsets.sort((a, b) => a - b);
    const positions: Position[] = [];
    for (const origin of this.#moved) {
      const heldLines = held.get(origin.id);
      const position = origin.positionBefore(heldLines);
      if (position !== undefined) positions.push(position);
      // What is held back is sealed later, perhaps without another line of its origin.
      if (heldLines === undefined) this.#moved.delete(origin);
    }
    return positions;
  }
}
