/** The row that a pipeline works on: one object, loaded anew for each stored row. Its line is a
 *  byte range; its labels lie in slots (nameTable.ts numbers the names), each a byte range and a
 *  category. Stages change it in place; nothing is allocated for a row once buffers have grown.
 *  Invariant: a name has at most one value. A parsed label hides structured metadata of its name,
 *  which hides a stream label. What a row holds is valid until the next `load`. */
import type { Labels } from "../streams/labels.ts";
import { errorDetailsSlot, errorSlot, type NameTable } from "./nameTable.ts";

/** Where a label comes from. Numbers, since rows keep them in a typed array: a greater one hides a
 *  smaller one. */
export const category = { none: 0, stream: 1, metadata: 2, parsed: 3 } as const;

/** Where the timestamps of rows lie, ns. A LineBlock is one; it decodes them when first asked. */
export interface TimeColumn {
  readonly timestamps: BigInt64Array;
}

/** Names of errors, the values of __error__. */
export type PipelineError =
  | "JSONParserErr"
  | "LogfmtParserErr"
  | "LabelFilterErr"
  | "SampleExtractionErr"
  | "TemplateFormatErr";

export class Row {
  readonly names: NameTable;
  /** The line is line[lineStart..lineEnd). */
  line: Uint8Array = none;
  lineStart = 0;
  lineEnd = 0;
  /** The row's number in the block that was begun, from its first row on; -1 for a row from
   *  elsewhere. */
  blockRow = -1;
  /** By slot: its category, 0 if the row has no such label; its value is
   *  sources[slot][starts[slot]..ends[slot]). */
  categories = new Uint8Array(16);
  sources: Uint8Array[] = new Array<Uint8Array>(16).fill(none);
  starts = new Uint32Array(16);
  ends = new Uint32Array(16);
  /** Slots that may hold a label: members[0..memberCount). Some of them were deleted. */
  members = new Uint32Array(16);
  memberCount = 0;
  /** Whether a filter on __error__ saw the row's error and kept the row: then the query asks for it. */
  errorWanted = false;
  #isMember = new Uint8Array(16);
  /** By slot: whether the stream has a label of the name, or the stored row metadata, whatever
   *  stages did to them since. */
  #isStreamName = new Uint8Array(16);
  #isMetadataName = new Uint8Array(16);
  #stream: StreamBase | null = null;
  /** members[0..streamCount) are the stream's, then come the metadata's up to metadataCount. */
  #streamCount = 0;
  #metadataCount = 0;
  #streamChanged = false;
  #metadataChanged = false;
  #meta: Uint8Array = none;
  #metaStart = 0;
  #metaEnd = 0;
  #times: TimeColumn = { timestamps: new BigInt64Array(1) };
  #timeIndex = 0;
  /** Bytes that stages made for the present row. */
  #scratch = new Uint8Array(4096);
  #scratchUsed = 0;

  constructor(names: NameTable) {
    this.names = names;
  }

  /** Makes the next rows rows of a stream. */
  useStream(stream: StreamBase): void {
    if (this.#stream === stream && stream.generation === this.names.generation) return;
    this.#isStreamName.fill(0);
    this.#clear(0);
    this.#stream = stream;
    stream.resolve(this.names);
    this.#fit();
    for (const slot of stream.slots) this.#isStreamName[slot] = 1;
    this.#restoreStream(stream);
    this.forgetMetadata();
  }

  /** Must be called when metadata buffers may have been written anew. */
  forgetMetadata(): void {
    this.#meta = none;
    this.#metaStart = this.#metaEnd = 0;
    this.#metadataChanged = true;
  }

  /** Loads a stored row of the stream in use: its line, its metadata set meta[metaStart..metaEnd),
   *  and where its timestamp lies. */
  load(
    line: Uint8Array,
    lineStart: number,
    lineEnd: number,
    meta: Uint8Array,
    metaStart: number,
    metaEnd: number,
    times: TimeColumn,
    timeIndex: number,
  ): void {
    if (this.names.isFull) this.#startOver();
    this.line = line;
    this.lineStart = lineStart;
    this.lineEnd = lineEnd;
    this.#times = times;
    this.#timeIndex = timeIndex;
    this.#scratchUsed = 0;
    this.errorWanted = false;
    const sameSet = !this.#metadataChanged && meta === this.#meta &&
      metaStart === this.#metaStart && metaEnd === this.#metaEnd;
    if (this.#streamChanged) {
      this.#clear(0);
      this.#restoreStream(this.#stream!);
    } else {
      this.#clear(sameSet ? this.#metadataCount : this.#streamCount);
      if (sameSet) return;
    }
    this.#meta = meta;
    this.#metaStart = metaStart;
    this.#metaEnd = metaEnd;
    if (metaEnd > metaStart) this.#loadMetadata(meta, metaStart, metaEnd);
    this.#metadataCount = this.memberCount;
    this.#metadataChanged = false;
  }

  timestampNs(): bigint {
    return this.#times.timestamps[this.#timeIndex]!;
  }

  /** Also asked of a slot whose name was met only in other rows. */
  has(slot: number): boolean {
    return this.categories[slot]! > category.none;
  }

  /** The value as a string; undefined if the row has no such label. */
  text(slot: number): string | undefined {
    if (!this.has(slot)) return undefined;
    return decode(this.sources[slot]!, this.starts[slot]!, this.ends[slot]!);
  }

  /** Whether the value is `wanted`; a missing label reads as "". */
  equals(slot: number, wanted: Uint8Array): boolean {
    if (!this.has(slot)) return wanted.length === 0;
    const source = this.sources[slot]!;
    const start = this.starts[slot]!;
    if (this.ends[slot]! - start !== wanted.length) return false;
    for (let index = 0; index < wanted.length; index++) {
      if (source[start + index] !== wanted[index]) return false;
    }
    return true;
  }

  lineText(): string {
    return decode(this.line, this.lineStart, this.lineEnd);
  }

  /** Gives a label a value, unless a greater category has its name. */
  set(slot: number, kind: number, source: Uint8Array, start: number, end: number): void {
    if (slot >= this.categories.length) this.#fit();
    const present = this.categories[slot]!;
    if (present > kind) return;
    this.#noteChange(present);
    if (this.#isMember[slot] === 0) {
      this.#isMember[slot] = 1;
      this.members[this.memberCount++] = slot;
    }
    this.categories[slot] = kind;
    this.sources[slot] = source;
    this.starts[slot] = start;
    this.ends[slot] = end;
  }

  setText(slot: number, kind: number, text: string): void {
    const start = this.write(text);
    this.set(slot, kind, this.#scratch, start, this.#scratchUsed);
  }

  delete(slot: number): void {
    this.#noteChange(this.categories[slot]!);
    this.categories[slot] = category.none;
  }

  /** Where a parser puts a field of this name: name_extracted if the stream or the stored row has
   *  the name, -1 if nobody wants it or a parser set it before. `wanted` has a 1 for each wanted
   *  slot; null wants all. */
  parsedSlot(name: number, wanted: Uint8Array | null): number {
    if (name <= errorDetailsSlot) return -1;
    let slot = name;
    if (slot >= this.categories.length) this.#fit();
    if ((this.#isStreamName[slot]! | this.#isMetadataName[slot]!) !== 0) {
      slot = this.names.extractedOf(slot);
      if (slot < 0) return -1;
      if (slot >= this.categories.length) this.#fit();
    }
    if (this.categories[slot] === category.parsed) return -1;
    return wanted === null || wanted[slot] === 1 ? slot : -1;
  }

  /** Whether the stream has a label of the name, or had one before stages dropped it. */
  isStreamName(slot: number): boolean {
    return this.#isStreamName[slot] === 1;
  }

  /** Whether a parser could still give the row this label. */
  canGet(slot: number): boolean {
    return slot > errorDetailsSlot && this.categories[slot] !== category.parsed &&
      (this.#isStreamName[slot]! | this.#isMetadataName[slot]!) === 0;
  }

  /** Whether a stage removed or replaced a label of the stream. */
  get streamLabelsChanged(): boolean {
    return this.#streamChanged;
  }

  get hasError(): boolean {
    return this.categories[errorSlot] !== category.none;
  }

  /** The first error sticks. */
  setError(error: PipelineError, details: string): void {
    if (this.hasError) return;
    this.errorWanted = false;
    this.setText(errorSlot, category.parsed, error);
    this.setText(errorDetailsSlot, category.parsed, details);
  }

  /** Replaces the line with text. */
  setLine(text: string): void {
    const start = this.write(text);
    this.line = this.#scratch;
    this.lineStart = start;
    this.lineEnd = this.#scratchUsed;
  }

  /** Memory for bytes that live as long as the row: `take(n)` returns where n bytes may be written
   *  in `scratch`. Ranges that were handed out before stay valid, in the buffer that was `scratch`
   *  then. */
  take(bytes: number): number {
    if (this.#scratchUsed + bytes > this.#scratch.length) {
      this.#scratch = new Uint8Array(Math.max(2 * this.#scratch.length, 2 * bytes));
      this.#scratchUsed = 0;
    }
    const start = this.#scratchUsed;
    this.#scratchUsed += bytes;
    return start;
  }

  get scratch(): Uint8Array {
    return this.#scratch;
  }

  /** Gives back what lies behind `end`, of the last `take`. */
  shrink(end: number): void {
    this.#scratchUsed = end;
  }

  /** Writes text to scratch memory up to its used end; returns where it starts. */
  write(text: string): number {
    const start = this.take(3 * text.length);
    const { written } = encoder.encodeInto(text, this.#scratch.subarray(start));
    this.shrink(start + written);
    return start;
  }

  get scratchEnd(): number {
    return this.#scratchUsed;
  }

  #noteChange(present: number): void {
    if (present === category.stream) this.#streamChanged = true;
    else if (present === category.metadata) this.#metadataChanged = true;
  }

  /** Removes the labels of members from `count` on. */
  #clear(count: number): void {
    for (let index = count; index < this.memberCount; index++) {
      const slot = this.members[index]!;
      this.categories[slot] = category.none;
      this.#isMember[slot] = 0;
      this.#isMetadataName[slot] = 0;
    }
    this.memberCount = count;
  }

  #restoreStream({ slots, values }: StreamBase): void {
    for (let index = 0; index < slots.length; index++) {
      const value = values[index]!;
      this.set(slots[index]!, category.stream, value, 0, value.length);
    }
    this.#streamCount = this.memberCount;
    this.#streamChanged = false;
    this.#metadataChanged = true;
  }

  /** Metadata that the stream has the name of is called name_extracted; metadata that has that name
   *  itself is preferred. */
  #loadMetadata(meta: Uint8Array, start: number, end: number): void {
    for (let pass = 0; pass < 2; pass++) {
      let anyHidden = false;
      for (let at = start; at < end;) {
        const nameEnd = at + 6 + (meta[at]! | meta[at + 1]! << 8);
        const valueEnd = nameEnd + ((meta[at + 2]! | meta[at + 3]! << 8 | meta[at + 4]! << 16 |
          meta[at + 5]! << 24) >>> 0);
        let slot = this.names.find(meta, at + 6, nameEnd);
        at = valueEnd;
        if (slot < 0) continue;
        if (slot >= this.categories.length) this.#fit();
        const isHidden = this.#isStreamName[slot] === 1;
        anyHidden ||= isHidden;
        if (isHidden !== (pass === 1)) continue;
        if (isHidden) {
          slot = this.names.extractedOf(slot);
          if (slot < 0) continue;
          if (slot >= this.categories.length) this.#fit();
          if (this.has(slot)) continue;
        }
        this.set(slot, category.metadata, meta, nameEnd, valueEnd);
        this.#isMetadataName[slot] = 1;
      }
      if (!anyHidden) return;
    }
  }

  /** Begins with an empty table of names, so that names of ever new kinds do not fill the memory.
   */
  #startOver(): void {
    const stream = this.#stream!;
    this.#clear(0);
    this.names.forget();
    this.#stream = null;
    this.useStream(stream);
  }

  /** Makes room for all names. */
  #fit(): void {
    if (this.names.count <= this.categories.length) return;
    const size = 2 * this.names.count;
    this.categories = grown(this.categories, new Uint8Array(size));
    this.#isMember = grown(this.#isMember, new Uint8Array(size));
    this.#isStreamName = grown(this.#isStreamName, new Uint8Array(size));
    this.#isMetadataName = grown(this.#isMetadataName, new Uint8Array(size));
    this.starts = grown(this.starts, new Uint32Array(size));
    this.ends = grown(this.ends, new Uint32Array(size));
    this.members = grown(this.members, new Uint32Array(size));
    while (this.sources.length < size) this.sources.push(none);
  }
}

/** A stream's labels, ready to be loaded into rows. */
export class StreamBase {
  readonly labels: Labels;
  readonly #values: ReadonlyArray<Uint8Array>;
  /** Those labels that the table has, by slot. */
  slots: number[] = [];
  values: Uint8Array[] = [];
  generation = -1;

  constructor(labels: Labels) {
    this.labels = labels;
    this.#values = labels.map(([, value]) => encoder.encode(value));
  }

  resolve(names: NameTable): void {
    if (this.generation === names.generation) return;
    this.generation = names.generation;
    this.slots = [];
    this.values = [];
    this.labels.forEach(([name], index) => {
      const slot = names.findText(name);
      if (slot < 0) return;
      this.slots.push(slot);
      this.values.push(this.#values[index]!);
    });
  }
}

const none = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function decode(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

function grown<Column extends Uint8Array | Uint32Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}
