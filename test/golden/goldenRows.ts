/** The rows that the golden files hold, computed anew each time: what a released format must still
 *  decode to. Never change this file; a new format version gets new files beside the old ones. */
import type { ModelRow } from "../../src/testing/modelRows.ts";

export interface GoldenStream {
  readonly tenant: string;
  readonly labels: string;
  readonly rows: ReadonlyArray<ModelRow>;
}

/** Streams that reach every part of the formats: regular, irregular and extreme times; equal rows;
 *  empty, binary and incompressible lines; rows with and without metadata. */
export function goldenStreams(): GoldenStream[] {
  const second = 1_000_000_000n;
  const start = 1_700_000_000n * second;
  const regular = range(400, (index): ModelRow => ({
    timestamp: start + BigInt(index) * second,
    line: text(
      `level=info msg="request done" path=/api/v1/orders/${index % 17} duration=${index % 97}ms`,
    ),
    metadata: index % 2 === 0 ? [["detected_level", "info"]] : [["detected_level", "info"], [
      "trace_id",
      `${(index * 7919).toString(16).padStart(8, "0")}`,
    ]],
  }));
  const irregular = range(300, (index): ModelRow => ({
    // Steps in milliseconds with an outlier now and then, and three rows of each time.
    timestamp: start + BigInt(Math.floor(index / 3) ** 2 % 5000 + index * 11) * 1_000_000n,
    line: noise(index, index % 40),
    metadata: [],
  }));
  const extremes = [-(2n ** 63n), -1n, 0n, 1n, 2n ** 63n - 1n].map((timestamp): ModelRow => ({
    timestamp,
    line: timestamp === 0n ? [] : [0xff, 0x0a, 0x00],
    metadata: timestamp === 1n ? [["é", "\u{1F600}\n"]] : [],
  }));
  return [
    { tenant: "fake", labels: '{app="orders", env="prod"}', rows: regular },
    { tenant: "fake", labels: '{app="noise"}', rows: irregular },
    { tenant: "other-tenant", labels: '{app="é\\n", job="x"}', rows: [...extremes, extremes[1]!] },
  ];
}

function range<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function text(line: string): number[] {
  return [...new TextEncoder().encode(line)];
}

/** Bytes of a xorshift generator. */
function noise(seed: number, count: number): number[] {
  let state = (seed + 1) * 0x9e3779b1 | 1;
  return range(count, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 255;
  });
}
