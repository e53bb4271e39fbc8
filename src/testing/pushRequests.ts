/** Push requests for tests: an encoder for protobuf, generators, and decoded rows as plain values.
 */
import fc from "fast-check";
import { type PushLimits, PushReject, type PushRows } from "../kernels/push.ts";
import { latin1 } from "../kernels/reference/level.ts";
import type { Entry, Reject, Row, Stream } from "../kernels/reference/push.ts";

export function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** A field with its tag, and its length if wire type 2 needs one. */
export function field(number: number, wire: number, content: Uint8Array): Uint8Array {
  const tag = varint(BigInt(number << 3 | wire));
  const length = wire === 2 ? varint(BigInt(content.length)) : new Uint8Array();
  return concat([tag, length, content]);
}

export function concat(parts: ReadonlyArray<Uint8Array>): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function encodePush(streams: ReadonlyArray<Stream>): Uint8Array {
  return concat(streams.map(({ labels, entries }) => {
    const parts = entries.map((entry) => field(2, 2, encodeEntry(entry)));
    return field(1, 2, concat([field(1, 2, labels), ...parts]));
  }));
}

export function encodeEntry(entry: Entry): Uint8Array {
  const time = concat([
    field(1, 0, varint(entry.seconds)),
    field(2, 0, varint(BigInt(entry.nanos))),
  ]);
  const pairs = entry.pairs.map(([name, value]) =>
    field(3, 2, concat([field(1, 2, name), field(2, 2, value)]))
  );
  return concat([field(1, 2, time), field(2, 2, entry.line), ...pairs]);
}

const encoder = new TextEncoder();
const anyText = fc.oneof(
  fc.constantFrom("a", "b", "", "error", "level=warn", '{"level":"info"}', "17", "info", "WRN"),
  fc.string({ unit: "binary" }),
).map((text) => encoder.encode(text));
const anyBytes = fc.oneof(anyText, fc.uint8Array({ maxLength: 40 }));
const anyName = fc.oneof(
  fc.constantFrom("a", "b", "level", "log.level", "severity_number", "detected_level", "lvl", "9")
    .map((text) => encoder.encode(text)),
  fc.uint8Array({ maxLength: 6 }),
  anyText,
);
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  seconds: fc.oneof(fc.bigInt(-5n, 20n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  nanos: fc.oneof(fc.nat(999_999_999), fc.integer()),
  line: anyBytes,
  pairs: fc.array(fc.tuple(anyName, anyBytes), { maxLength: 40, size: "small" }),
});
/** Up to eight streams. */
export const anyRequest: fc.Arbitrary<Stream[]> = fc.array(
  fc.record({ labels: anyBytes, entries: fc.array(anyEntry, { maxLength: 12 }) }),
  { maxLength: 8 },
);
export const anyLimits: fc.Arbitrary<PushLimits> = fc.record({
  lineBytesMax: fc.constantFrom(0, 0, 5, 20),
  truncateLines: fc.boolean(),
  timeMin: fc.constantFrom(-(2n ** 63n), 0n),
  timeMax: fc.constantFrom(2n ** 63n - 1n, 10_000_000_000n),
  metaBytesMax: fc.constantFrom(0, 0, 30),
  metaPairsMax: fc.constantFrom(0, 0, 3),
  detectLevels: fc.boolean(),
  allowMetadata: fc.oneof(fc.constant(true), fc.boolean()),
});

/** Rows and rejects as the twin gives them. Checks on the way that sets are canonical. */
export function rowsOf(built: PushRows): {
  rows: Row[];
  rejects: Reject[];
  rejectedBytes: number[];
} {
  const rows: Row[] = [];
  let stream = 0;
  for (let row = 0; row < built.rowCount; row++) {
    while (built.rowEnds[stream]! <= row) stream++;
    const line = latin1(built.lines.subarray(built.lineEnds[row - 1] ?? 0, built.lineEnds[row]));
    const id = built.metaIds[row]!;
    const pairs = id === 0 ? undefined : setOf(built, id - 1);
    rows.push({ stream, timestamp: built.timestamps[row]!, line, pairs });
  }
  const reasons = Object.entries(PushReject);
  const rejects = Array.from(built.rejectReasons, (code, index) => ({
    stream: built.rejectStreams[index]!,
    entry: built.rejectEntries[index]!,
    reason: reasons.find(([, other]) => other === code)![0],
    value: built.rejectValues[index]!,
  }));
  return { rows, rejects, rejectedBytes: [...built.rejectedBytes] };
}

function setOf(built: PushRows, set: number): Array<readonly [string, string]> {
  const bytes = built.meta.slice(built.setEnds[set - 1] ?? 0, built.setEnds[set]);
  const view = new DataView(bytes.buffer);
  const pairs: Array<readonly [string, string]> = [];
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 6 + view.getUint16(at, true);
    const valueEnd = nameEnd + view.getUint32(at + 2, true);
    pairs.push([
      latin1(bytes.subarray(at + 6, nameEnd)),
      latin1(bytes.subarray(nameEnd, valueEnd)),
    ]);
    at = valueEnd;
  }
  return pairs;
}
