/** Writes protobuf's wire format (https://protobuf.dev/programming-guides/encoding/) into one growing buffer. A nested message gets
 *  a length of fixed width, so that it is written once and never moved. */

const encoder = new TextEncoder();
/** Bytes kept for a nested message's length: a varint padded to 5 bytes, valid for up to 2^35. */
const lengthBytes = 5;
/** Copied one by one. */
const shortBytes = 64;

export class ProtobufWriter {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytesExpected: number) {
    this.#bytes = new Uint8Array(bytesExpected);
  }

  /** Begins field `field`, a message; the result is what `end` wants. */
  begin(field: number): number {
    this.#reserve(10 + lengthBytes);
    this.#varint(field << 3 | 2);
    this.#at += lengthBytes;
    return this.#at;
  }

  end(start: number): void {
    let length = this.#at - start;
    for (let index = 0; index < lengthBytes; index++) {
      this.#bytes[start - lengthBytes + index] = (length & 0x7f) |
        (index < lengthBytes - 1 ? 0x80 : 0);
      length = Math.floor(length / 128);
    }
  }

  /** A string as UTF-8; a lone surrogate becomes U+FFFD. */
  text(field: number, text: string): void {
    this.#reserve(20 + text.length * 3);
    const start = this.begin(field);
    this.#at += encoder.encodeInto(text, this.#bytes.subarray(this.#at)).written;
    this.end(start);
  }

  /** An int64 or int32. */
  integer(field: number, value: bigint): void {
    this.#reserve(20);
    this.#varint(field << 3);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  /** An int64 or int32 that is a natural number up to 2^53. */
  natural(field: number, value: number): void {
    this.#reserve(20);
    this.#varint(field << 3);
    this.#varint(value);
  }

  /** The bytes of `source` in [from, to), without a view for few. */
  range(field: number, source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    this.#reserve(20 + length);
    this.#varint(field << 3 | 2);
    this.#varint(length);
    if (length <= shortBytes) {
      for (let at = from; at < to; at++) this.#bytes[this.#at++] = source[at]!;
    } else {
      this.#bytes.set(source.subarray(from, to), this.#at);
      this.#at += length;
    }
  }

  /** Fields that were written before. */
  fields(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Eight bytes, the least significant first. */
  fixed64(field: number, value: bigint): void {
    this.#reserve(20);
    this.#varint(field << 3 | 1);
    let rest = BigInt.asUintN(64, value);
    for (let count = 0; count < 8; count++, rest >>= 8n) {
      this.#bytes[this.#at++] = Number(rest & 0xffn);
    }
  }

  double(field: number, value: number): void {
    const [bits] = new BigUint64Array(Float64Array.of(value).buffer);
    this.fixed64(field, bits!);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#at;
  }

  /** What was written. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #varint(value: number): void {
    while (value >= 0x80) {
      this.#bytes[this.#at++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    this.#bytes[this.#at++] = value;
  }

  #reserve(byteCount: number): void {
    if (this.#at + byteCount <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + byteCount));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
