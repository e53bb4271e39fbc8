/** How the jobs of a scan end: with a pool that answers when it is told to. */
import t from "tap";
import { pipelineOf } from "../../testing/pipelines.ts";
import { toldPool } from "../../testing/toldPool.ts";
import type { PlannedUnit } from "../policy/scanPlan.ts";
import type { ScanResult } from "../protocol/scan.ts";
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
  const ended = runScan(pool, [unit, unit], request, limits, signal).then(
    () => "answered",
    (error: Error) => error.name,
  );
  const [first, second] = [await called("scan"), await called("scan")];
  first(resultOf(1));
  second(resultOf(1_000_000));
  t.equal(await ended, "QueryReadsTooMuch");
});
