/** Writes Loki's push request in protobuf by hand: an encoder independent of the one under test. Owns bytes of
 *  messages only; pushClient.ts compresses and sends them.
 *
 *    PushRequest { 1 repeated Stream }
 *    Stream      { 1 string labels, 2 repeated Entry }
 *    Entry       { 1 Timestamp { 1 int64 seconds, 2 int32 nanos }, 2 string line, 3 repeated Pair }
 *    Pair        { 1 string name, 2 string value } */

/** One entry to push. A line given as bytes is sent as it is, valid UTF-8 or not. */
export interface PushEntry {
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint;
  readonly line: string | Uint8Array;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface PushStream {
  /** `{a="b", c="d"}`; sent as given, so that tests can send wrong ones. */
  readonly labels: string;
  readonly entries: ReadonlyArray<PushEntry>;
}

/** The uncompressed protobuf of a push request. */
export function encodePushRequest(streams: ReadonlyArray<PushStream>): Uint8Array {
  const request = new ProtobufWriter();
  for (const stream of streams) {
    const body = new ProtobufWriter();
    body.text(1, stream.labels);
    for (const entry of stream.entries) body.bytes(2, encodeEntry(entry));
    request.bytes(1, body.finish());
  }
  return request.finish();
}

/** Appends fields to a buffer that doubles when full. */
export class ProtobufWriter {
  #buffer: Uint8Array;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#buffer = new Uint8Array(capacityBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** An unsigned varint; up to 2^53. */
  varint(value: number): void {
    this.#reserve(10);
    while (value >= 0x80) {
      this.#buffer[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#buffer[this.#length++] = value;
  }

  /** A signed 64-bit varint, two's complement as protobuf's int64. */
  int64(value: bigint): void {
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  /** A field's tag. Wire types: 0 varint, 2 length-delimited. */
  tag(field: number, wireType: 0 | 2): void {
    this.varint(field * 8 + wireType);
  }

  /** A length-delimited field. */
  bytes(field: number, value: Uint8Array): void {
    this.tag(field, 2);
    this.varint(value.byteLength);
    this.raw(value);
  }

  text(field: number, value: string): void {
    this.bytes(field, utf8.encode(value));
  }

  /** Bytes without tag or length. */
  raw(value: Uint8Array): void {
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#length);
    this.#length += value.byteLength;
  }

  /** Everything written, as a view that the next write may change. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.byteLength) return;
    const grown = new Uint8Array(Math.max(needed, this.#buffer.byteLength * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

const utf8 = new TextEncoder();
const nanosecondsPerSecond = 1_000_000_000n;

function encodeEntry(entry: PushEntry): Uint8Array {
  const timestamp = new ProtobufWriter(24);
  const seconds = floorDivide(entry.timestamp, nanosecondsPerSecond);
  const nanos = entry.timestamp - seconds * nanosecondsPerSecond;
  if (seconds !== 0n) {
    timestamp.tag(1, 0);
    timestamp.int64(seconds);
  }
  if (nanos !== 0n) {
    timestamp.tag(2, 0);
    timestamp.int64(nanos);
  }
  const message = new ProtobufWriter(64);
  message.bytes(1, timestamp.finish());
  message.bytes(2, typeof entry.line === "string" ? utf8.encode(entry.line) : entry.line);
  for (const [name, value] of Object.entries(entry.metadata ?? {})) {
    const pair = new ProtobufWriter(64);
    pair.text(1, name);
    pair.text(2, value);
    message.bytes(3, pair.finish());
  }
  return message.finish();
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}
