/** The bytes of Prometheus' remote write, version 1: protobuf in a block of snappy. Pure.
 *
 *    WriteRequest { 1: TimeSeries { 1: Label { 1 name, 2 value } …, 2: Sample { 1 double value, 2 int64 ms } } … }
 *
 *  Samples are few and small, so the block stores them as they are: snappy that compresses is native code, which the server's
 *  sandbox does not allow. */
import { joinBytes } from "../../platform/joinBytes.ts";
import type { Labels } from "../../streams/labels.ts";

/** What says that a series has ended; a NaN of its own. */
export const staleMarker: unique symbol = Symbol("stale");

export interface WriteSample {
  readonly labels: Labels;
  readonly atMs: number;
  readonly value: number | typeof staleMarker;
}

/** A request's body. */
export function writeRequest(samples: ReadonlyArray<WriteSample>): Uint8Array {
  return snappyBlock(joinBytes(samples.map((sample) => field(1, timeSeries(sample)))));
}

const encoder = new TextEncoder();

function timeSeries({ labels, value, atMs }: WriteSample): Uint8Array {
  const sample = new Uint8Array(9);
  sample[0] = (1 << 3) | 1;
  const view = new DataView(sample.buffer);
  if (value === staleMarker) view.setBigUint64(1, 0x7ff0000000000002n, true);
  else if (Number.isNaN(value)) view.setBigUint64(1, 0x7ff8000000000001n, true);
  else view.setFloat64(1, value, true);
  const time = joinBytes([Uint8Array.of(2 << 3), varint(BigInt.asUintN(64, BigInt(atMs)))]);
  // Receivers want names in order; as bytes, as here, since names are ASCII.
  const ordered = [...labels].sort(([a], [b]) => a < b ? -1 : 1);
  return joinBytes([
    ...ordered.map(([name, text]) =>
      field(1, joinBytes([field(1, encoder.encode(name)), field(2, encoder.encode(text))]))
    ),
    field(2, joinBytes([sample, time])),
  ]);
}

/** A field of bytes. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  return joinBytes([Uint8Array.of((number << 3) | 2), varint(BigInt(bytes.length)), bytes]);
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** Literals alone, of 64 KB each: https://github.com/google/snappy/blob/main/format_description.txt */
function snappyBlock(bytes: Uint8Array): Uint8Array {
  const parts = [varint(BigInt(bytes.length))];
  for (let at = 0; at < bytes.length; at += literalMax) {
    const literal = bytes.subarray(at, at + literalMax);
    const length = literal.length - 1;
    parts.push(Uint8Array.of(61 << 2, length & 0xff, length >> 8), literal);
  }
  return joinBytes(parts);
}

const literalMax = 65_536;
