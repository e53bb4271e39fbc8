/** The stage `cri`: takes apart what containerd and CRI-O write, `time stream flags content`, and
 *  joins partial lines (flag P) with the line that ends them (F). Works on bytes: a line costs no
 *  string. Lines of another shape go on as they are, as in Promtail.
 *  Format: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md */
import { Schema } from "effect";
import { ByteSize, Toggle, wholeNumber, withDefault } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { HeldEntries, type HeldEntry } from "./heldEntries.ts";
import type { LabelSet } from "./labelSet.ts";
import { setRfc3339 } from "./rfc3339.ts";
import { drop, keep, type Stage, type StageContext, type Verdict } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

/** Joined lines of more bytes are sent in pieces when the configuration has no limit of its own. */
const joinedBytesMax = 4 << 20;
/** A partial line that nothing has followed for so long is sent as it is: a program that ended without a line break
 *  leaves one. */
const partialWaitMs = 30_000;

const Config = Schema.Struct({
  max_partial_lines: withDefault(wholeNumber(1), 100),
  max_partial_line_size: withDefault(ByteSize, 0),
  max_partial_line_size_truncate: withDefault(Toggle, false),
});

export const cri = defineStage({
  name: "cri",
  schema: Config,
  compile: (config, context) => new CriStage(config, context),
});

class CriStage implements Stage {
  readonly #held: HeldEntries;
  readonly #bytesMax: number;
  readonly #truncates: boolean;
  readonly #context: StageContext;
  readonly #wanted: ReadonlyArray<"time" | "stream" | "flags" | "content">;
  /** The label set of the latest line, and what it becomes: lines come in runs. */
  #from: LabelSet | null = null;
  #withStdout: LabelSet | null = null;
  #withStderr: LabelSet | null = null;

  constructor(config: typeof Config.Type, context: StageContext) {
    this.#truncates = config.max_partial_line_size_truncate && config.max_partial_line_size > 0;
    this.#bytesMax = config.max_partial_line_size || joinedBytesMax;
    this.#context = context;
    this.#held = new HeldEntries(config.max_partial_lines, (held) => context.emit(held.take()));
    this.#wanted = (["time", "stream", "flags", "content"] as const).filter(context.isWanted);
  }

  apply(entry: StageEntry): Verdict {
    entry.encode();
    const { bytes, start, end } = entry;
    const timeEnd = indexOf(bytes, start, end, space);
    // "stdout " and "stderr " have equal length, and differ from the fourth letter on.
    const streamEnd = timeEnd + 7;
    if (timeEnd <= start || streamEnd >= end || bytes[streamEnd] !== space) return keep;
    const isStdout = isWord(bytes, timeEnd + 1, stdout);
    if (!isStdout && !isWord(bytes, timeEnd + 1, stderr)) return keep;
    const flagsEnd = indexOf(bytes, streamEnd + 1, end, space);
    if (flagsEnd <= streamEnd + 1) return keep;
    this.#setLabels(entry, isStdout);
    setRfc3339(entry, bytes, start, timeEnd);
    if (this.#wanted.length > 0) this.#extract(entry, timeEnd, streamEnd, flagsEnd);
    const isPartial = flagsEnd === streamEnd + 2 && bytes[streamEnd + 1] === 0x50;
    entry.cut(flagsEnd + 1, end);
    if (isPartial) return this.#holdPartial(entry);
    if (this.#held.size > 0) this.#join(entry);
    return keep;
  }

  tick(nowMs: number): void {
    this.#held.releaseOlder(nowMs - partialWaitMs);
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

  #setLabels(entry: StageEntry, isStdout: boolean): void {
    if (this.#from !== entry.labels) {
      this.#from = entry.labels;
      this.#withStdout = entry.labels.with("stream", "stdout");
      this.#withStderr = entry.labels.with("stream", "stderr");
    }
    entry.labels = isStdout ? this.#withStdout! : this.#withStderr!;
  }

  #holdPartial(entry: StageEntry): Verdict {
    if (this.#truncates) entry.cut(entry.start, Math.min(entry.end, entry.start + this.#bytesMax));
    const held = this.#held.get(entry);
    if (held === undefined || this.#isFull(held, entry)) {
      if (held !== undefined) this.#letGo(held);
      this.#held.hold(entry, this.#context.nowMs());
    } else {
      this.#append(held, entry);
      held.sinceMs = this.#context.nowMs();
    }
    return drop;
  }

  /** The line that ends partial ones gets their content in front; the rest of it is its own. */
  #join(entry: StageEntry): void {
    const held = this.#held.get(entry);
    if (held === undefined) return;
    if (this.#isFull(held, entry)) return this.#letGo(held);
    this.#held.remove(held);
    this.#append(held, entry);
    const whole = held.take();
    entry.takePlaces(whole);
    entry.replaceBytes(whole.bytes, whole.start, whole.end);
  }

  /** Whether the entry has no room; if what is too much is cut there always is. */
  #isFull(held: HeldEntry, entry: StageEntry): boolean {
    return !this.#truncates && held.byteLength + entry.byteLength > this.#bytesMax;
  }

  #letGo(held: HeldEntry): void {
    this.#held.remove(held);
    this.#context.emit(held.take());
  }

  #append(held: HeldEntry, entry: StageEntry): void {
    const room = Math.max(0, this.#bytesMax - held.byteLength);
    const end = this.#truncates ? Math.min(entry.end, entry.start + room) : entry.end;
    held.append(nothing, entry, end);
  }

  #extract(entry: StageEntry, timeEnd: number, streamEnd: number, flagsEnd: number): void {
    const { bytes, start, end } = entry;
    const bounds = {
      time: [start, timeEnd],
      stream: [timeEnd + 1, streamEnd],
      flags: [streamEnd + 1, flagsEnd],
      content: [flagsEnd + 1, end],
    } as const;
    for (const name of this.#wanted) {
      const [from, to] = bounds[name];
      entry.extracted.set(name, decoder.decode(bytes.subarray(from, to)));
    }
  }
}

const space = 0x20;
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const stdout = encoder.encode("stdout");
const stderr = encoder.encode("stderr");
const nothing = new Uint8Array(0);

/** -1 if it is not there. The parts searched are short, for which a loop beats Uint8Array.indexOf. */
function indexOf(bytes: Uint8Array, start: number, end: number, byte: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}

function isWord(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < 6; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}
