/** How the jobs of a scan end: with a pool that answers when it is told to. */
import t from "tap";
import { pipelineOf } from "../../testing/pipelines.ts";
import { toldPool } from "../../testing/toldPool.ts";
import type { PlannedUnit } from "../policy/scanPlan.ts";
import type { ScanResult } from "../protocol/scan.ts";
import { HeldAnswers } from "../HeldAnswers.ts";
import { rowObjectBytes } from "./merge.ts";
import { runScan } from "./runScan.ts";

/** A unit that is a job of its own. */
const unit: PlannedUnit = {
  labels: '{app="a"}',
  sources: [],
  minTime: 0n,
  maxTime: 0n,
  bytes: 1e12,
};

/** A job's result without rows, for which it has looked at so many bytes. */
function resultOf(bytesScanned: number): Partial<ScanResult> {
  return {
    unitRowEnds: new Uint32Array(1),
    timestamps: new BigInt64Array(),
    lines: new Uint8Array(),
    meta: new Uint8Array(),
    parsed: new Uint8Array(),
    stats: { bytesScanned, rowsScanned: 0, bytesRead: 0, chunksRead: 0 },
  };
}

const request = {
  tenant: "fake",
  matchers: [],
  pipeline: pipelineOf(""),
  range: { start: 0n, end: 1n },
  limit: 10,
  direction: "backward",
} as const;

t.test("a limit that is reached at the moment at which another job ends ends the query", async (t) => {
  const { pool, called } = toldPool();
  const limits = { bytesMax: 1000, bytesScannedMax: 1000 };
  const { signal } = new AbortController();
  const held = new HeldAnswers({ bytesMax: 1000 }).open();
  const ended = runScan(pool, [unit, unit], request, limits, held, signal).then(
    () => "answered",
    (error: Error) => error.name,
  );
  const [first, second] = [await called("scan"), await called("scan")];
  first(resultOf(1));
  second(resultOf(1_000_000));
  t.equal(await ended, "QueryReadsTooMuch");
});

/** A chunk of one row of so many bytes, a job of its own. */
const unitOfRow = (time: bigint, rawBytes: number): PlannedUnit => ({
  ...unit,
  minTime: time,
  maxTime: time,
  sources: [{
    minTime: time,
    maxTime: time,
    chunk: {
      segmentKey: "s",
      partition: 0,
      logFrom: 1,
      labels: unit.labels,
      offset: 0,
      length: 1,
      rowCount: 1,
      rawBytes,
      minTime: time,
      maxTime: time,
    },
  }],
});

const resultOfRow = (time: bigint, bytes: number): ScanResult => ({
  unitRowEnds: Uint32Array.of(1),
  timestamps: BigInt64Array.of(time),
  lineEnds: Uint32Array.of(bytes),
  lines: new Uint8Array(bytes),
  metaEnds: Uint32Array.of(0),
  meta: new Uint8Array(),
  parsedEnds: Uint32Array.of(0),
  parsed: new Uint8Array(),
  streamIds: Uint32Array.of(0),
  streams: [],
  stats: { bytesScanned: bytes, rowsScanned: 1, bytesRead: 0, chunksRead: 0 },
});

t.test("a scan counts what it holds and what its jobs will bring, and begins none without room", async (t) => {
  const { pool, called } = toldPool();
  const answers = new HeldAnswers({ bytesMax: 10_000 });
  const held = answers.open();
  const other = answers.open();
  other.resize(9000);
  const units = [unitOfRow(3n, 5000), unitOfRow(2n, 5000), unitOfRow(1n, 5000)];
  const limits = { bytesMax: 1_000_000, bytesScannedMax: 0 };
  const { signal } = new AbortController();
  const ended = runScan(pool, units, request, limits, held, signal);
  let begun = 0;
  const next = called("scan").then((answer) => (begun++, answer));
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(begun, 0, "there is no room");
  other.resize(1000);
  const first = await next;
  t.equal(held.bytes, 5000 + rowObjectBytes, "for a job that runs");
  // The other job would bring as much again.
  const second = called("scan").then((answer) => (begun++, answer));
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(begun, 1);
  other.release();
  first(resultOfRow(3n, 5000));
  (await second)(resultOfRow(2n, 5000));
  (await called("scan"))(resultOfRow(1n, 5000));
  t.equal((await ended).rows.length, 3);
  t.equal(held.bytes, 3 * (5000 + rowObjectBytes));
  t.equal(answers.bytes, held.bytes);
});

t.test("rows that are a small part of a job's result do not keep all of it", async (t) => {
  const { pool, called } = toldPool();
  const held = new HeldAnswers({ bytesMax: 1 }).open();
  const large = resultOfRow(1n, 8 * 1024 * 1024);
  const result = { ...large, lineEnds: Uint32Array.of(7) };
  large.lines.set(new TextEncoder().encode("a line!"));
  const limits = { bytesMax: 1_000_000, bytesScannedMax: 0 };
  const { signal } = new AbortController();
  const ended = runScan(pool, [unitOfRow(1n, 10)], request, limits, held, signal);
  (await called("scan"))(result);
  const { rows } = await ended;
  t.equal(new TextDecoder().decode(rows[0]!.line), "a line!");
  t.equal(held.bytes, 7 + rowObjectBytes);
});
