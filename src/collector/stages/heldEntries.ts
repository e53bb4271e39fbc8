/** Entries that a stage holds back, by origin and label set: the bounded store behind cri and
 *  multiline. A held line grows by pieces without being copied anew for each. Where one origin's lines
 *  follow another's (a log that was rotated), what is held is handed on and grows by them.
 *  Invariant: what is held is at most `entriesMax` entries, the oldest of which is released when one
 *  more comes; `each` tells every place that a line of them came from. */
import { StageEntry } from "./entry.ts";
import type { HeldVisitor } from "./stage.ts";

/** An entry that waits for more. Used again for another when it has been released. */
export class HeldEntry {
  readonly entry = new StageEntry();
  /** How many lines it was made of. */
  lines = 0;
  /** When the latest of them came. */
  sinceMs = 0;
  /** What the stage that holds it knows of it. */
  state = 0;
  #bytes = new Uint8Array(256);
  #length = 0;

  /** Takes over an entry as the first line. */
  begin(first: StageEntry, nowMs: number): void {
    this.#length = 0;
    this.lines = 1;
    this.sinceMs = nowMs;
    this.state = 0;
    this.entry.copyFrom(first);
    this.#append(nothing, first.bytes, first.start, first.end);
  }

  get byteLength(): number {
    return this.#length;
  }

  /** Adds the line of `next` up to `end`. */
  append(separator: Uint8Array, next: StageEntry, end = next.end): void {
    this.#append(separator, next.bytes, next.start, end);
    this.entry.joinPlaces(next);
  }

  #append(separator: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + separator.length + end - start;
    if (length > this.#bytes.length) {
      const wider = new Uint8Array(2 * length);
      wider.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = wider;
    }
    this.#bytes.set(separator, this.#length);
    this.#bytes.set(bytes.subarray(start, end), this.#length + separator.length);
    this.#length = length;
  }

  /** The entry with the whole line; good until this is used for another. */
  take(): StageEntry {
    this.entry.replaceBytes(this.#bytes, 0, this.#length);
    return this.entry;
  }

  /** Bytes that it keeps to itself. */
  get capacity(): number {
    return this.#bytes.length;
  }
}

const nothing = new Uint8Array(0);
/** Entries kept for use again, unless one has grown beyond this. */
const sparesMax = 64;
const spareBytesMax = 64 * 1024;

export class HeldEntries {
  readonly #byOrigin = new Map<object, Map<string, HeldEntry>>();
  readonly #entriesMax: number;
  readonly #release: (held: HeldEntry) => void;
  readonly #spares: HeldEntry[] = [];
  #size = 0;

  /** `release` gets an entry that leaves by age, number or flush. */
  constructor(entriesMax: number, release: (held: HeldEntry) => void) {
    this.#entriesMax = entriesMax;
    this.#release = release;
  }

  get size(): number {
    return this.#size;
  }

  /** What is held of the entry's origin and labels. */
  get(entry: StageEntry): HeldEntry | undefined {
    return this.#size === 0 ? undefined : this.#byOrigin.get(entry.origin)?.get(identity(entry));
  }

  hold(entry: StageEntry, nowMs: number): HeldEntry {
    if (this.#size >= this.#entriesMax) this.#releaseOldest();
    const held = this.#spares.pop() ?? new HeldEntry();
    held.begin(entry, nowMs);
    const byLabels = this.#byOrigin.get(entry.origin);
    if (byLabels === undefined) {
      this.#byOrigin.set(entry.origin, new Map([[identity(entry), held]]));
    } else byLabels.set(identity(entry), held);
    this.#size++;
    return held;
  }

  remove(held: HeldEntry): void {
    const { entry } = held;
    const byLabels = this.#byOrigin.get(entry.origin);
    if (byLabels?.delete(identity(entry)) !== true) return;
    this.#size--;
    if (byLabels.size === 0) this.#byOrigin.delete(entry.origin);
    // Its bytes may still be read: it is begun again with a later line at the earliest.
    if (this.#spares.length < sparesMax && held.capacity <= spareBytesMax) this.#spares.push(held);
  }

  /** The lines of `next` follow those of `origin`, which are over: what is held of `origin` waits for them. `next` must
   *  not have had lines. */
  follow(origin: object, next: object): void {
    const byLabels = this.#byOrigin.get(origin);
    if (byLabels === undefined) return;
    this.#byOrigin.delete(origin);
    this.#byOrigin.set(next, byLabels);
    for (const { entry } of byLabels.values()) entry.moveTo(next);
  }

  /** Releases what got no line since `sinceMs`. */
  releaseOlder(sinceMs: number): void {
    if (this.#size === 0) return;
    for (const held of this.#all()) if (held.sinceMs <= sinceMs) this.#let(held);
  }

  /** Releases everything, or everything of one origin. */
  releaseAll(origin: object | null): void {
    for (const held of this.#all()) {
      if (origin === null || held.entry.origin === origin) this.#let(held);
    }
  }

  each(visit: HeldVisitor): void {
    for (const { entry: { origin, offset, otherOrigins, otherOffsets } } of this.#all()) {
      if (offset !== Infinity) visit(origin, offset);
      otherOffsets.forEach((other, index) => visit(otherOrigins[index]!, other));
    }
  }

  #all(): Array<HeldEntry> {
    return [...this.#byOrigin.values()].flatMap((byLabels) => [...byLabels.values()]);
  }

  #let(held: HeldEntry): void {
    this.remove(held);
    this.#release(held);
  }

  #releaseOldest(): void {
    const oldest = this.#byOrigin.values().next().value?.values().next().value;
    if (oldest !== undefined) this.#let(oldest);
  }
}

/** The tenant is part of it: two tenants' lines are never joined. */
function identity({ labels }: StageEntry): string {
  return labels.tenant === null ? labels.text : `${labels.tenant}\n${labels.text}`;
}
