/** Undoes LZ4's frame format (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), as OpenTelemetry's exporters send it:
 *  frames one after another, blocks that may refer to earlier ones, checksums. Neither runtime has it. Owns the bounds: no
 *  input makes more output than allowed, or reads what is not there. */
import { xxHash32 } from "./xxHash32.ts";

/** The bytes are no LZ4 frames. */
export class Lz4Invalid extends Error {
  override readonly name = "Lz4Invalid";
}

/** More comes out than is allowed. */
export class Lz4TooLarge extends Error {
  override readonly name = "Lz4TooLarge";
}

/** What all frames hold together. Throws Lz4Invalid or Lz4TooLarge. */
export function decompressLz4Frames(bytes: Uint8Array, bytesMax: number): Uint8Array {
  const decoder = new Decoder(bytes, bytesMax);
  while (decoder.at < bytes.length) decoder.frame();
  return decoder.output.subarray(0, decoder.size);
}

const magic = 0x184d2204;
/** The lowest of sixteen magic numbers of frames for others, which are left out. */
const skippableMagic = 0x184d2a50;
const endMark = 0;
const uncompressed = 0x80000000;
/** Bytes of the shortest match. */
const matchMin = 4;
/** Copied one by one. */
const shortBytes = 32;

interface Descriptor {
  readonly areBlocksIndependent: boolean;
  readonly haveBlocksChecksum: boolean;
  readonly hasContentChecksum: boolean;
  readonly blockBytesMax: number;
  readonly contentBytes: bigint | undefined;
}

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #bytesMax: number;
  output: Uint8Array;
  /** Bytes of output. */
  size = 0;
  at = 0;

  constructor(bytes: Uint8Array, bytesMax: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytesMax = bytesMax;
    this.output = new Uint8Array(Math.min(bytesMax, bytes.length * 4));
  }

  frame(): void {
    const found = this.#u32();
    if (found >= skippableMagic && found < skippableMagic + 16) {
      this.#skip(this.#u32());
      return;
    }
    if (found !== magic) throw new Lz4Invalid(`no frame begins at byte ${this.at - 4}`);
    const descriptor = this.#descriptor();
    const contentStart = this.size;
    for (let size = this.#u32(); size !== endMark; size = this.#u32()) {
      this.#block(size, descriptor, contentStart);
    }
    const content = this.output.subarray(contentStart, this.size);
    if (descriptor.hasContentChecksum && this.#u32() !== xxHash32(content)) {
      throw new Lz4Invalid("the content's checksum is wrong");
    }
    if (
      descriptor.contentBytes !== undefined && descriptor.contentBytes !== BigInt(content.length)
    ) {
      throw new Lz4Invalid(`there are ${content.length} bytes, not ${descriptor.contentBytes}`);
    }
  }

  #descriptor(): Descriptor {
    const start = this.at;
    const [flags, blockFlags] = [this.#u8(), this.#u8()];
    if (flags >>> 6 !== 1) throw new Lz4Invalid(`version ${flags >>> 6} is unknown`);
    if ((flags & 1) !== 0) throw new Lz4Invalid("the frame wants a dictionary");
    const blockSize = (blockFlags >>> 4) & 7;
    if (blockSize < 4) throw new Lz4Invalid(`block size ${blockSize} is unknown`);
    const contentBytes = (flags & 8) === 0 ? undefined : this.#u64();
    const checksum = xxHash32(this.#bytes.subarray(start, this.at)) >>> 8 & 0xff;
    if (this.#u8() !== checksum) throw new Lz4Invalid("the descriptor's checksum is wrong");
    return {
      areBlocksIndependent: (flags & 32) !== 0,
      haveBlocksChecksum: (flags & 16) !== 0,
      hasContentChecksum: (flags & 4) !== 0,
      blockBytesMax: 1 << (8 + 2 * blockSize),
      contentBytes,
    };
  }

  #block(size: number, descriptor: Descriptor, contentStart: number): void {
    const isCompressed = size < uncompressed;
    const start = this.at;
    this.#skip(isCompressed ? size : size - uncompressed);
    const end = this.at;
    if (
      descriptor.haveBlocksChecksum && this.#u32() !== xxHash32(this.#bytes.subarray(start, end))
    ) throw new Lz4Invalid(`the checksum of the block at byte ${start} is wrong`);
    const before = this.size;
    if (isCompressed) {
      this.#sequences(start, end, descriptor.areBlocksIndependent ? before : contentStart);
    } else this.#literals(start, end);
    if (this.size - before > descriptor.blockBytesMax) {
      throw new Lz4Invalid(`the block at byte ${start} has more than its frame allows`);
    }
  }

  /** A compressed block: literals and a match, again and again, and literals at the end. Matches reach back to `reach`. */
  #sequences(start: number, end: number, reach: number): void {
    const bytes = this.#bytes;
    let at = start;
    const extended = (length: number): number => {
      if (length !== 15) return length;
      for (;;) {
        if (at >= end) throw cutOff(start);
        const more = bytes[at++]!;
        length += more;
        if (more !== 255) return length;
      }
    };
    while (at < end) {
      const token = bytes[at++]!;
      const literalCount = extended(token >>> 4);
      if (literalCount > end - at) throw cutOff(start);
      this.#literals(at, at + literalCount);
      at += literalCount;
      if (at === end) return;
      if (end - at < 2) throw cutOff(start);
      const offset = bytes[at]! | bytes[at + 1]! << 8;
      at += 2;
      if (offset === 0 || offset > this.size - reach) {
        throw new Lz4Invalid(`the block at byte ${start} refers to what is before its beginning`);
      }
      this.#match(offset, extended(token & 15) + matchMin);
    }
    throw cutOff(start);
  }

  #literals(start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    if (length > shortBytes) this.output.set(this.#bytes.subarray(start, end), this.size);
    else for (let at = start, to = this.size; at < end;) this.output[to++] = this.#bytes[at++]!;
    this.size += length;
  }

  /** What was `offset` bytes ago once more; it may reach into itself. */
  #match(offset: number, length: number): void {
    this.#reserve(length);
    const { output } = this;
    const end = this.size + length;
    if (length > shortBytes && offset >= length) {
      output.copyWithin(this.size, this.size - offset, this.size - offset + length);
    } else for (let to = this.size; to < end; to++) output[to] = output[to - offset]!;
    this.size = end;
  }

  #reserve(byteCount: number): void {
    const needed = this.size + byteCount;
    if (needed > this.#bytesMax) throw new Lz4TooLarge();
    if (needed <= this.output.length) return;
    const larger = new Uint8Array(
      Math.min(this.#bytesMax, Math.max(needed, 2 * this.output.length)),
    );
    larger.set(this.output.subarray(0, this.size));
    this.output = larger;
  }

  #skip(byteCount: number): void {
    if (byteCount > this.#bytes.length - this.at) throw cutOff(this.at);
    this.at += byteCount;
  }

  #u8(): number {
    this.#skip(1);
    return this.#bytes[this.at - 1]!;
  }

  #u32(): number {
    this.#skip(4);
    return this.#view.getUint32(this.at - 4, true);
  }

  #u64(): bigint {
    this.#skip(8);
    return this.#view.getBigUint64(this.at - 8, true);
  }
}

function cutOff(at: number): Lz4Invalid {
  return new Lz4Invalid(`what begins at byte ${at} is cut off`);
}
