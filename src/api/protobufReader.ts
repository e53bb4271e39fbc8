/** Reads protobuf's wire format in place: one cursor over bytes, which its user moves from field to field. Owns bounds and
 *  varints; what fields mean is the user's. Reading makes no object but views that are asked for. */

/** The bytes are not protobuf; answered with 400. */
export class ProtobufInvalid extends Error {
  override readonly name = "ProtobufInvalid";
}

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class ProtobufReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  /** Where the next field begins. */
  at = 0;
  /** Of the field that `next` found. */
  field = 0;
  wireType = 0;
  /** Where the content of a field of bytes begins and ends. */
  start = 0;
  end = 0;
  /** A varint, up to 2^53 exactly; of a fixed number its lower half. */
  low = 0;
  /** The upper half of a fixed64. */
  high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Reads the next field of a message that ends at `limit`; false at its end. Throws ProtobufInvalid. */
  next(limit: number): boolean {
    if (this.at >= limit) return false;
    const tag = this.#varint(limit);
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    switch (this.wireType) {
      case WireType.varint:
        this.start = this.at;
        this.low = this.#varint(limit);
        break;
      case WireType.fixed64:
        this.#need(8, limit);
        this.low = this.#view.getUint32(this.at, true);
        this.high = this.#view.getUint32(this.at + 4, true);
        this.start = this.at;
        this.at += 8;
        break;
      case WireType.bytes: {
        const length = this.#varint(limit);
        this.#need(length, limit);
        this.start = this.at;
        this.at += length;
        break;
      }
      case WireType.fixed32:
        this.#need(4, limit);
        this.low = this.#view.getUint32(this.at, true);
        this.start = this.at;
        this.at += 4;
        break;
      default:
        throw new ProtobufInvalid(`wire type ${this.wireType} at byte ${this.at} is unknown`);
    }
    this.end = this.at;
    if (this.field === 0) throw new ProtobufInvalid(`field 0 at byte ${this.start}`);
    return true;
  }

  /** Whether the current field is number `field` and holds bytes. */
  isBytes(field: number): boolean {
    return this.field === field && this.wireType === WireType.bytes;
  }

  /** The current varint as a signed number of 64 bits. */
  get signed(): bigint {
    let [value, shift] = [0n, 0n];
    for (let at = this.start; at < this.end; at++) {
      value |= BigInt(this.bytes[at]! & 0x7f) << shift;
      shift += 7n;
    }
    return BigInt.asIntN(64, value);
  }

  /** The current fixed64 as a float. */
  get double(): number {
    return this.#view.getFloat64(this.start, true);
  }

  /** The bytes of the current field, in place. */
  get content(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  #need(length: number, limit: number): void {
    if (length > limit - this.at) {
      throw new ProtobufInvalid(`a field at byte ${this.at} is longer than what holds it`);
    }
  }

  #varint(limit: number): number {
    let [value, scale] = [0, 1];
    for (let count = 0; count < 10; count++) {
      if (this.at >= limit) throw new ProtobufInvalid(`a number at byte ${this.at} is cut off`);
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new ProtobufInvalid(`a number at byte ${this.at} is too long`);
  }
}
