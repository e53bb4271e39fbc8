/** Packs and unpacks the integer columns of chunks (docs/formats.md, "Packed columns"). Results of
 *  unpacking are the caller's own; chunkRows.ts calls the same kernels on rows that are in kernel
 *  memory already. */
import { type Kernels, kernels } from "./kernels.ts";

export interface ColumnExports {
  packTimes(times: number, count: number, unit: bigint, out: number): number;
  unpackTimes(
    packed: number,
    length: number,
    count: number,
    first: bigint,
    unit: bigint,
    times: number,
  ): number;
  packIntegers(values: number, count: number, out: number): number;
  unpackIntegers(packed: number, length: number, count: number, values: number): number;
  unpackEnds(packed: number, length: number, count: number, ends: number): number;
  timeUnit(times: number, count: number): bigint;
}

/** The most bytes that packing takes: `count` integers in at most `segments` runs that are packed
 *  on their own. */
export function packedBytesMax(count: number, segments: number): number {
  // A group has 12 bytes besides its values; the bit packer may touch 8 bytes after the last.
  return 8 * count + 12 * (Math.ceil(count / 128) + segments) + 8;
}

/** The greatest common divisor of the steps between ascending times, 1 if all are equal. */
export function timeUnit(times: BigInt64Array): bigint {
  const instance = columnKernels();
  instance.reset();
  const pointer = instance.copyIn(bytesOf(times));
  return BigInt.asUintN(64, instance.exports.timeUnit(pointer, times.length));
}

/** Packs ascending times; every step must be a multiple of `unit`. */
export function packTimes(times: BigInt64Array, unit: bigint): Uint8Array<ArrayBuffer> {
  if (times.length === 0) return new Uint8Array(0);
  const instance = columnKernels();
  instance.reset();
  const pointer = instance.copyIn(bytesOf(times));
  const out = instance.reserve(packedBytesMax(times.length, 1));
  return instance.bytes(out, instance.exports.packTimes(pointer, times.length, unit, out)).slice();
}

/** Packs 32-bit integers. */
export function packIntegers(values: Uint32Array): Uint8Array<ArrayBuffer> {
  const instance = columnKernels();
  instance.reset();
  const pointer = instance.copyIn(bytesOf(values));
  const out = instance.reserve(packedBytesMax(values.length, 1));
  return instance.bytes(out, instance.exports.packIntegers(pointer, values.length, out)).slice();
}

/** The `count` times that packTimes got, given the first and the unit; undefined if the bytes are
 *  not that. */
export function unpackTimes(
  packed: Uint8Array,
  count: number,
  first: bigint,
  unit: bigint,
): BigInt64Array<ArrayBuffer> | undefined {
  const instance = columnKernels();
  instance.reset();
  const pointer = instance.copyIn(packed);
  const out = instance.reserve(8 * count);
  const { exports } = instance;
  const valid = exports.unpackTimes(pointer, packed.length, count, first, unit, out) === 1;
  return valid ? instance.i64(out, count).slice() : undefined;
}

/** The `count` integers that packIntegers got; undefined if the bytes are not that. */
export function unpackIntegers(
  packed: Uint8Array,
  count: number,
): Uint32Array<ArrayBuffer> | undefined {
  const instance = columnKernels();
  instance.reset();
  const pointer = instance.copyIn(packed);
  const out = instance.reserve(4 * count);
  const valid = instance.exports.unpackIntegers(pointer, packed.length, count, out) === 1;
  return valid ? instance.u32(out, count).slice() : undefined;
}

/** The running sums of what packIntegers got; undefined if the bytes are not that or a sum exceeds
 *  32 bits. */
export function unpackEnds(
  packed: Uint8Array,
  count: number,
): Uint32Array<ArrayBuffer> | undefined {
  const instance = columnKernels();
  instance.reset();
  const pointer = instance.copyIn(packed);
  const out = instance.reserve(4 * count);
  const valid = instance.exports.unpackEnds(pointer, packed.length, count, out) === 1;
  return valid ? instance.u32(out, count).slice() : undefined;
}

function columnKernels(): Kernels<ColumnExports> {
  return kernels<ColumnExports>();
}

function bytesOf(column: BigInt64Array | Uint32Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}
