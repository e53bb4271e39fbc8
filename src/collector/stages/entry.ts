/** One log entry while the collector works on it. An entry is mutable and used again for the next
 *  line: the source fills it with `reset`, stages change it, the receiver copies out what it needs
 *  before it returns. Owns the two forms of a line (bytes as read, text as a stage made it) and the
 *  extracted values. Invariant: a line that no stage looked at as text is never decoded. */
import { LabelSet } from "./labelSet.ts";

/** What a stage extracted from a line: JSON has numbers and truth values; null is JSON's. */
export type ExtractedValue = string | number | boolean | null;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

export class StageEntry {
  /** The line is bytes[start..end) unless a stage made text of it: call `encode()` before reading
   *  these three. They are the source's and valid only until it continues. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Unix time: whole seconds, and nanoseconds from 0 to 999,999,999. */
  seconds = 0;
  nanos = 0;
  labels: LabelSet = LabelSet.empty;
  /** Structured metadata, names and values. */
  readonly metadata: Array<readonly [name: string, value: string]> = [];
  readonly extracted = new Extracted();
  /** Whose line this is (a file, a connection): lines are joined only within one origin. */
  origin: object = noOrigin;
  /** Where the entry's first line began in its origin, in the origin's own unit. A joined entry has
   *  that of its first line; Infinity if it has no line of `origin` yet, see HeldEntries.follow. */
  offset = 0;
  /** Where the other lines of a joined entry began: `otherOffsets[i]` in `otherOrigins[i]`. */
  readonly otherOrigins: object[] = [];
  readonly otherOffsets: number[] = [];

  #text: string | null = null;
  #isEdited = false;
  #scratch = new Uint8Array(0);

  /** Makes this the entry of a new line `bytes[start..end)`, without its line break. */
  reset(
    labels: LabelSet,
    bytes: Uint8Array,
    start: number,
    end: number,
    seconds: number,
    nanos: number,
    origin: object = noOrigin,
    offset = 0,
  ): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.seconds = seconds;
    this.nanos = nanos;
    this.labels = labels;
    this.origin = origin;
    this.offset = offset;
    if (this.otherOffsets.length > 0) this.otherOrigins.length = this.otherOffsets.length = 0;
    this.metadata.length = 0;
    this.extracted.reset(labels);
    this.#text = null;
    this.#isEdited = false;
  }

  /** The line as text; invalid UTF-8 reads as U+FFFD. */
  get text(): string {
    return this.#text ??= decoder.decode(this.bytes.subarray(this.start, this.end));
  }

  set text(text: string) {
    this.#text = text;
    this.#isEdited = true;
  }

  /** Makes the line `bytes[start..end)` of the bytes it has: a stage that only cuts. */
  cut(start: number, end: number): void {
    this.start = start;
    this.end = end;
    this.#text = null;
    this.#isEdited = false;
  }

  /** Makes the line `bytes[start..end)` of other bytes, which must outlive the entry's way. */
  replaceBytes(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.cut(start, end);
  }

  /** Brings bytes, start and end up to date with the text. */
  encode(): void {
    if (!this.#isEdited) return;
    const text = this.#text!;
    const needed = text.length * 3;
    // What one huge line took is not kept for the many that follow.
    if (this.#scratch.length < needed || this.#scratch.length > scratchKeptMax) {
      this.#scratch = new Uint8Array(Math.max(256, needed));
    }
    this.bytes = this.#scratch;
    this.start = 0;
    this.end = encoder.encodeInto(text, this.#scratch).written;
    this.#isEdited = false;
  }

  /** Whether bytes, start and end are the line; else `encode` makes them so. */
  get isEncoded(): boolean {
    return !this.#isEdited;
  }

  /** The line's length in bytes. */
  get byteLength(): number {
    this.encode();
    return this.end - this.start;
  }

  /** Nanoseconds since 1970. */
  get timestampNs(): bigint {
    return BigInt(this.seconds) * 1_000_000_000n + BigInt(this.nanos);
  }

  set timestampNs(ns: bigint) {
    const nanos = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    this.nanos = Number(nanos);
    this.seconds = Number((ns - nanos) / 1_000_000_000n);
  }

  /** Notes where the lines of an entry that is joined with this one came from. */
  joinPlaces(next: StageEntry): void {
    if (this.offset === Infinity && this.origin === next.origin) this.offset = next.offset;
    else if (next.offset !== Infinity) this.#addPlace(next.origin, next.offset);
    this.#addOthers(next);
  }

  /** Comes from the places that `whole` came from. */
  takePlaces(whole: StageEntry): void {
    this.otherOrigins.length = this.otherOffsets.length = 0;
    this.origin = whole.origin;
    this.offset = whole.offset;
    this.#addOthers(whole);
  }

  /** Is joined from now on by lines of another origin, of which it has none yet. */
  moveTo(origin: object): void {
    if (this.offset !== Infinity) this.#addPlace(this.origin, this.offset);
    this.origin = origin;
    this.offset = Infinity;
  }

  #addPlace(origin: object, offset: number): void {
    this.otherOrigins.push(origin);
    this.otherOffsets.push(offset);
  }

  #addOthers({ otherOrigins, otherOffsets }: StageEntry): void {
    for (let index = 0; index < otherOffsets.length; index++) {
      this.#addPlace(otherOrigins[index]!, otherOffsets[index]!);
    }
  }

  /** Takes over everything of another entry but its line; brings that entry's bytes up to date. */
  copyFrom(other: StageEntry): void {
    other.encode();
    const { labels, seconds, nanos, origin, offset } = other;
    this.reset(labels, this.bytes, 0, 0, seconds, nanos, origin, offset);
    this.extracted.copyFrom(other.extracted);
    for (const pair of other.metadata) this.metadata.push(pair);
    this.#addOthers(other);
  }
}

/** Values by name that stages extract and later stages use. The labels that the entry came with can
 *  be used like extracted values, as in Promtail; a value extracted under the same name hides one. */
export class Extracted {
  #labels: LabelSet = LabelSet.empty;
  readonly #values = new Map<string, ExtractedValue>();

  reset(labels: LabelSet): void {
    this.#labels = labels;
    if (this.#values.size > 0) this.#values.clear();
  }

  get(name: string): ExtractedValue | undefined {
    const value = this.#values.get(name);
    return value !== undefined ? value : this.#labels.get(name);
  }

  /** The value as text, undefined if there is none or it is null. */
  text(name: string): string | undefined {
    return extractedText(this.get(name));
  }

  set(name: string, value: ExtractedValue): void {
    this.#values.set(name, value);
  }

  delete(name: string): void {
    this.#values.delete(name);
    // A label of the name would show through.
    if (this.#labels.get(name) !== undefined) this.#labels = this.#labels.without(name);
  }

  /** Takes the labels that the entry has now for those it came with; they hide what was extracted
   *  under their names. */
  refresh(labels: LabelSet): void {
    this.#labels = labels;
    if (this.#values.size === 0) return;
    for (const [name] of labels.pairs) this.#values.delete(name);
  }

  /** Everything, for templates. */
  entries(): Map<string, ExtractedValue> {
    return new Map<string, ExtractedValue>([...this.#labels.pairs, ...this.#values]);
  }

  copyFrom(other: Extracted): void {
    this.reset(other.#labels);
    for (const [name, value] of other.#values) this.#values.set(name, value);
  }
}

/** A value as it becomes a label or a line: numbers without exponent. */
export function extractedText(value: ExtractedValue | undefined): string | undefined {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" ? plainNumber(value) : String(value);
}

/** Decimal digits only, as many as tell the number apart from its neighbours. */
export function plainNumber(value: number): string {
  const text = String(value);
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text.replace(/^(-?)Infinity$/, (_, sign) => `${sign || "+"}Inf`);
  const [, sign, whole, fraction = "", exponent] = match;
  const digits = whole! + fraction;
  const point = whole!.length + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + "0".repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

const noOrigin = {};
const scratchKeptMax = 1 << 20;
