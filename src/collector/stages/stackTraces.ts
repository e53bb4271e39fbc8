/** The stage `stack_traces`, which Promtail does not have: joins the lines of a stack trace, whatever language wrote it,
 *  with its first line, and leaves all other lines alone. Owns the blocks, by origin and label set; traceLines.ts knows
 *  which lines belong together. Every line waits for the next one, max_wait_time at most.
 *  Invariant: a block ends with a line that is not its, max_lines, blockBytesMax, or max_wait_time. */
import { Schema } from "effect";
import { DurationMs, wholeNumber, withDefault } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { HeldEntries, type HeldEntry } from "./heldEntries.ts";
import { drop, keep, type Stage, type StageContext, type Verdict } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { continuation, startOf, traceHeadBytes, TraceState } from "./traceLines.ts";

const blocksMax = 10_000;
const blockBytesMax = 1 << 20;
/** Lines that a program wrote at once are at most so far apart. */
const soonNanos = 10_000_000;

const Config = Schema.Struct({
  max_wait_time: withDefault(DurationMs, "250ms"),
  max_lines: withDefault(wholeNumber(1), 1000),
});

export const stackTraces = defineStage({
  name: "stack_traces",
  schema: Config,
  compile: (config, context) => new StackTracesStage(config, context),
});

class StackTracesStage implements Stage {
  readonly #config: typeof Config.Type;
  readonly #context: StageContext;
  readonly #held: HeldEntries;

  constructor(config: typeof Config.Type, context: StageContext) {
    this.#config = config;
    this.#context = context;
    this.#held = new HeldEntries(blocksMax, (held) => this.#emit(held));
  }

  apply(entry: StageEntry): Verdict {
    entry.encode();
    const block = this.#held.get(entry);
    const head = this.#headOf(entry);
    const now = this.#context.nowMs();
    if (block !== undefined) {
      const state = continuation(block.state as TraceState, head, isSoon(block.entry, entry));
      if (state !== undefined) return this.#append(block, entry, state, now);
      this.#end(block);
    }
    if (this.#config.max_lines === 1) return keep;
    this.#held.hold(entry, now).state = startOf(head);
    return drop;
  }

  tick(nowMs: number): void {
    this.#held.releaseOlder(nowMs - this.#config.max_wait_time);
  }

  flush(origin: object | null): void {
    this.#held.releaseAll(origin);
  }

  follow(origin: object, next: object): void {
    this.#held.follow(origin, next);
  }

  eachHeld(visit: (origin: object, offset: number) => void): void {
    this.#held.each(visit);
  }

  #append(block: HeldEntry, entry: StageEntry, state: TraceState, now: number): Verdict {
    if (block.byteLength + entry.byteLength >= blockBytesMax) {
      this.#end(block);
      return keep;
    }
    block.append(lineBreak, entry);
    block.state = state;
    block.sinceMs = now;
    if (++block.lines >= this.#config.max_lines) this.#end(block);
    return drop;
  }

  #end(block: HeldEntry): void {
    this.#held.remove(block);
    this.#emit(block);
  }

  #emit(block: HeldEntry): void {
    const entry = block.take();
    // An empty line could have been within a trace and turned out to be its end.
    let { end } = entry;
    if (block.lines > 1) { while (end > entry.start && entry.bytes[end - 1] === 0x0a) end--; }
    if (end < entry.end) entry.cut(entry.start, end);
    this.#context.emit(entry);
  }

  #headOf({ bytes, start, end }: StageEntry): string {
    return decoder.decode(bytes.subarray(start, Math.min(end, start + traceHeadBytes)));
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const lineBreak = new Uint8Array([0x0a]);

function isSoon(first: StageEntry, next: StageEntry): boolean {
  const nanos = (next.seconds - first.seconds) * 1_000_000_000 + next.nanos - first.nanos;
  return nanos >= 0 && nanos <= soonNanos;
}
