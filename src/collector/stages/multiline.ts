/** The stage `multiline`: joins a line that matches `firstline` with those after it that do not, such
 *  as a stack trace with its message. A block has the time, labels and extracted values of its first
 *  line. Lines before any first line go on as they are. Blocks are kept by origin and label set.
 *  Invariant: a block ends with the next first line, max_lines, blockBytesMax, or max_wait_time. */
import { Schema } from "effect";
import { DurationMs, Text, wholeNumber, withDefault } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { HeldEntries } from "./heldEntries.ts";
import { drop, keep, type Stage, type StageContext, type Verdict } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { lineRegex } from "./stageRegex.ts";

const blocksMax = 10_000;
const blockBytesMax = 1 << 20;

const Config = Schema.Struct({
  firstline: Text,
  max_wait_time: withDefault(DurationMs, "3s"),
  max_lines: withDefault(wholeNumber(1), 128),
});

export const multiline = defineStage({
  name: "multiline",
  schema: Config,
  compile: (config, context) => new MultilineStage(config, context),
});

class MultilineStage implements Stage {
  readonly #config: typeof Config.Type;
  readonly #context: StageContext;
  readonly #isFirst: (entry: StageEntry) => boolean;
  readonly #held: HeldEntries;

  constructor(config: typeof Config.Type, context: StageContext) {
    this.#config = config;
    this.#context = context;
    this.#isFirst = lineRegex(config.firstline, "firstline", context);
    this.#held = new HeldEntries(blocksMax, (held) => context.emit(held.take()));
  }

  apply(entry: StageEntry): Verdict {
    const isFirst = this.#isFirst(entry);
    const block = this.#held.get(entry);
    if (!isFirst && block === undefined) return keep;
    const now = this.#context.nowMs();
    if (isFirst) {
      if (block !== undefined) this.#end(block);
      if (this.#config.max_lines === 1) return keep;
      this.#held.hold(entry, now);
      return drop;
    }
    entry.encode();
    if (block!.byteLength + entry.byteLength >= blockBytesMax) {
      this.#end(block!);
      return keep;
    }
    block!.append(lineBreak, entry);
    block!.sinceMs = now;
    if (++block!.lines >= this.#config.max_lines) this.#end(block!);
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

  #end(block: Parameters<HeldEntries["remove"]>[0]): void {
    this.#held.remove(block);
    this.#context.emit(block.take());
  }
}

const lineBreak = new Uint8Array([0x0a]);
