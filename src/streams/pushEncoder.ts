/** Entries as a push request has them on the wire, built without an object per line. Owns the protobuf of requests:
 *
 *    PushRequest { 1 Stream }   Stream { 1 labels, 2 repeated Entry }
 *    Entry { 1 Timestamp { 1 seconds, 2 nanos }, 2 line, 3 repeated LabelPair { 1 name, 2 value } }
 *
 *  (Loki's pkg/push/push.proto.) The kernel src/kernels/push.ts reads it. */

/** Structured metadata of an entry. */
export type MetadataPairs = ReadonlyArray<readonly [name: string, value: string]>;

const encoder = new TextEncoder();
const noMetadata: MetadataPairs = [];

/** The encoded entries of one stream. */
export class EntryBuffer {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(bytesExpected = 512) {
    this.#buffer = new Uint8Array(bytesExpected);
  }

  get byteLength(): number {
    return this.#length;
  }

  /** Bytes of memory that it holds. */
  get capacity(): number {
    return this.#buffer.byteLength;
  }

  /** The bytes so far; valid until the next `add`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Adds the line bytes[start..end) with its time since 1970, which is negative before. */
  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    seconds: number,
    nanos: number,
    metadata: MetadataPairs = noMetadata,
  ): void {
    const lineBytes = end - start;
    const timestampBytes = 2 + varintBytes(seconds) + varintBytes(nanos);
    const pairs = metadata.length === 0 ? undefined : metadata.map(encodePair);
    const pairBytes = pairs?.reduce((sum, pair) => sum + fieldBytes(pair.byteLength), 0) ?? 0;
    const entryBytes = 2 + timestampBytes + fieldBytes(lineBytes) + pairBytes;
    this.#reserve(fieldBytes(entryBytes));
    const buffer = this.#buffer;
    buffer[this.#length++] = 0x12;
    this.#varint(entryBytes);
    buffer[this.#length++] = 0x0a;
    this.#varint(timestampBytes);
    buffer[this.#length++] = 0x08;
    this.#varint(seconds);
    buffer[this.#length++] = 0x10;
    this.#varint(nanos);
    buffer[this.#length++] = 0x12;
    this.#varint(lineBytes);
    // A call of `set` needs a view, which costs more than copying a line of this length.
    if (lineBytes < 64) {
      let at = this.#length;
      for (let index = start; index < end; index++) buffer[at++] = bytes[index]!;
    } else {
      buffer.set(bytes.subarray(start, end), this.#length);
    }
    this.#length += lineBytes;
    if (pairs !== undefined) this.#pairs(pairs);
  }

  #pairs(pairs: ReadonlyArray<Uint8Array>): void {
    for (const pair of pairs) {
      this.#buffer[this.#length++] = 0x1a;
      this.#varint(pair.byteLength);
      this.#buffer.set(pair, this.#length);
      this.#length += pair.byteLength;
    }
  }

  #varint(value: number): void {
    if (value < 0) return this.#negative(value);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** Seconds before 1970: an int64 in two's complement. */
  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.max(this.#buffer.byteLength * 2, this.#length + bytes));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

/** A request of streams: label string and encoded entries each. */
export function encodePushRequest(
  streams: Iterable<readonly [labels: string, entries: EntryBuffer]>,
): Uint8Array<ArrayBuffer> {
  const parts = Array.from(
    streams,
    ([labels, entries]) => ({ labels: encoder.encode(labels), entries: entries.bytes }),
  );
  const streamBytes = parts.map(({ labels, entries }) =>
    fieldBytes(labels.byteLength) + entries.byteLength
  );
  const request = new Uint8Array(streamBytes.reduce((sum, bytes) => sum + fieldBytes(bytes), 0));
  let at = 0;
  for (const [index, { labels, entries }] of parts.entries()) {
    at = writeHeader(request, at, streamBytes[index]!);
    at = writeHeader(request, at, labels.byteLength);
    request.set(labels, at);
    at += labels.byteLength;
    request.set(entries, at);
    at += entries.byteLength;
  }
  return request;
}

/** Field 1, length-delimited: what both a stream and its labels begin with. */
function writeHeader(bytes: Uint8Array, at: number, length: number): number {
  bytes[at++] = 0x0a;
  let rest = length;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

function encodePair([name, value]: readonly [string, string]): Uint8Array {
  const nameBytes = encoder.encode(name);
  const valueBytes = encoder.encode(value);
  const pair = new Uint8Array(fieldBytes(nameBytes.byteLength) + fieldBytes(valueBytes.byteLength));
  const valueAt = writeHeader(pair, 0, nameBytes.byteLength) + nameBytes.byteLength;
  pair.set(nameBytes, valueAt - nameBytes.byteLength);
  const at = writeHeader(pair, valueAt, valueBytes.byteLength);
  pair[valueAt] = 0x12;
  pair.set(valueBytes, at);
  return pair;
}

/** Bytes of a length-delimited field with a one-byte tag. */
function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

function varintBytes(value: number): number {
  if (value < 0) return 10;
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
