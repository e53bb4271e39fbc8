/** Turns bytes into push requests: cuts them into lines and packs the lines as protobuf, a megabyte or so a request. Lines are
 *  never decoded, so any bytes are fine. push.ts owns sending.
 *
 *    PushRequest { 1 Stream }   Stream { 1 labels, 2 repeated Entry }
 *    Entry { 1 Timestamp { 1 seconds, 2 nanos }, 2 line } */

/** A finished request and what is in it. */
export interface PushRequest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lineCount: number;
  /** Bytes of lines, without the ends of lines. */
  readonly lineBytes: number;
}

/** Packs lines of one stream into requests of about `requestBytes`. */
export class PushRequestBuilder {
  readonly #labels: Uint8Array;
  readonly #requestBytes: number;
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  #lineCount = 0;
  #lineBytes = 0;

  constructor(labels: string, requestBytes: number) {
    this.#labels = new TextEncoder().encode(labels);
    this.#requestBytes = requestBytes;
    this.#buffer = new Uint8Array(requestBytes + 1024);
  }

  get isEmpty(): boolean {
    return this.#lineCount === 0;
  }

  /** Whether another line belongs in the next request. */
  get isFull(): boolean {
    return this.#length >= this.#requestBytes;
  }

  /** Adds a line with its timestamp in seconds and nanoseconds since 1970. */
  add(line: Uint8Array, seconds: number, nanoseconds: number): void {
    const timestampBytes = 2 + varintBytes(seconds) + varintBytes(nanoseconds);
    const entryBytes = 2 + timestampBytes + 1 + varintBytes(line.byteLength) + line.byteLength;
    this.#reserve(1 + varintBytes(entryBytes) + entryBytes);
    this.#buffer[this.#length++] = 0x12;
    this.#varint(entryBytes);
    this.#buffer[this.#length++] = 0x0a;
    this.#varint(timestampBytes);
    this.#buffer[this.#length++] = 0x08;
    this.#varint(seconds);
    this.#buffer[this.#length++] = 0x10;
    this.#varint(nanoseconds);
    this.#buffer[this.#length++] = 0x12;
    this.#varint(line.byteLength);
    this.#buffer.set(line, this.#length);
    this.#length += line.byteLength;
    this.#lineCount++;
    this.#lineBytes += line.byteLength;
  }

  /** The request with all lines since the last call; the builder is empty again. */
  finish(): PushRequest {
    const entries = this.#buffer.subarray(0, this.#length);
    const { lineCount, lineBytes } = { lineCount: this.#lineCount, lineBytes: this.#lineBytes };
    const labels = this.#labels;
    this.#length = 0;
    const streamBytes = 1 + varintBytes(labels.byteLength) + labels.byteLength + entries.byteLength;
    this.#buffer = new Uint8Array(1 + varintBytes(streamBytes) + streamBytes);
    this.#buffer[this.#length++] = 0x0a;
    this.#varint(streamBytes);
    this.#buffer[this.#length++] = 0x0a;
    this.#varint(labels.byteLength);
    this.#buffer.set(labels, this.#length);
    this.#buffer.set(entries, this.#length + labels.byteLength);
    const bytes = this.#buffer;
    this.#buffer = new Uint8Array(this.#requestBytes + 1024);
    this.#length = this.#lineCount = this.#lineBytes = 0;
    return { bytes, lineCount, lineBytes };
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.max(this.#buffer.byteLength * 2, this.#length + bytes));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** Requests of all lines in `input`, in order. A line ends with a line feed, of which a carriage return before it is a part; the
 *  last may lack it. `lineBytesMax` bounds what is kept of a line without an end; the rest becomes lines of its own.
 *  Timestamps are the time of reading, each at least a nanosecond after the one before. */
export async function* pushRequests(
  input: AsyncIterable<Uint8Array>,
  options: {
    readonly labels: string;
    readonly requestBytes: number;
    readonly lineBytesMax: number;
    readonly clock: NanosecondClock;
  },
): AsyncGenerator<PushRequest> {
  const builder = new PushRequestBuilder(options.labels, options.requestBytes);
  let rest: Uint8Array = new Uint8Array(0);
  for await (const part of input) {
    const bytes = rest.byteLength === 0 ? part : joined(rest, part);
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, start);
      const isCut = (end < 0 ? bytes.byteLength : end) - start > options.lineBytesMax;
      if (end < 0 && !isCut) break;
      const lineEnd = isCut ? start + options.lineBytesMax : end;
      const hasReturn = !isCut && lineEnd > start && bytes[lineEnd - 1] === carriageReturn;
      options.clock.tick();
      builder.add(
        bytes.subarray(start, hasReturn ? lineEnd - 1 : lineEnd),
        options.clock.seconds,
        options.clock.nanoseconds,
      );
      start = isCut ? lineEnd : lineEnd + 1;
      if (builder.isFull) yield builder.finish();
    }
    rest = bytes.slice(start);
  }
  if (rest.byteLength > 0) {
    options.clock.tick();
    builder.add(rest, options.clock.seconds, options.clock.nanoseconds);
  }
  if (!builder.isEmpty) yield builder.finish();
}

/** The time in nanoseconds, never the same twice, as two numbers. */
export class NanosecondClock {
  seconds = 0;
  nanoseconds = 0;
  readonly #milliseconds: () => number;

  constructor(milliseconds: () => number = Date.now) {
    this.#milliseconds = milliseconds;
  }

  /** Moves to now, or a nanosecond on if that is later. */
  tick(): void {
    const now = this.#milliseconds();
    const seconds = Math.floor(now / 1000);
    const nanoseconds = Math.floor((now - seconds * 1000) * 1_000_000);
    if (seconds > this.seconds || (seconds === this.seconds && nanoseconds > this.nanoseconds)) {
      this.seconds = seconds;
      this.nanoseconds = nanoseconds;
    } else if (++this.nanoseconds === 1_000_000_000) {
      this.nanoseconds = 0;
      this.seconds++;
    }
  }
}

const lineFeed = 10;
const carriageReturn = 13;

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const whole = new Uint8Array(left.byteLength + right.byteLength);
  whole.set(left);
  whole.set(right, left.byteLength);
  return whole;
}
