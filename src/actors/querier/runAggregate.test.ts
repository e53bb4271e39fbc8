/** How the jobs of a leaf end, with a pool that answers as it is told to. aggregateJob.test.ts has what their states come to. */
import { Result } from "effect";
import t from "tap";
import { parseMetricQuery } from "../../logql/parser.ts";
import { leafPipeline, planMetric } from "../../logql/planner/metricPlan.ts";
import { toldPool } from "../../testing/toldPool.ts";
import type { PlannedUnit } from "../policy/scanPlan.ts";
import type { AggregateResult } from "../protocol/aggregate.ts";
import type { WindowsResult } from "../protocol/evaluate.ts";
import { type LeafRequest, runAggregate } from "./runAggregate.ts";

/** A unit that is a job of its own. */
const unit: PlannedUnit = {
  labels: '{app="a"}',
  sources: [],
  minTime: 0n,
  maxTime: 0n,
  bytes: 1e12,
};

function requestOf(bytesScannedMax: number): LeafRequest {
  const query = 'sum(count_over_time({app="a"} |= "x" [1m]))';
  const [leaf] = planMetric(Result.getOrThrow(parseMetricQuery(query))).leaves;
  const { rangeNs, offsetNs } = leaf!.range;
  return {
    leaf: leaf!,
    pipeline: leafPipeline(leaf!),
    windows: { grid: { startNs: 0n, stepNs: 1n, count: 1 }, rangeNs, offsetNs },
    range: { start: 0n, end: 1n },
    limits: { seriesMax: 10, samplesMax: 10, samplesHeld: 0, bytesScannedMax },
  };
}

/** A job's result with so many states, for which it has looked at so many bytes. */
function resultOf(cellCount: number, bytesScanned: number): AggregateResult {
  return {
    keys: "{}",
    series: new Uint32Array(cellCount),
    buckets: new Uint32Array(cellCount),
    states: [],
    stats: { bytesScanned, rowsScanned: 0, bytesRead: 0, chunksRead: 0, rowsFolded: 0 },
  };
}

const windowsResult: WindowsResult = {
  matrix: { labels: "", values: new Float64Array(), present: new Uint8Array() },
  cellCount: 0,
  seriesCount: 0,
};

t.test("a limit that is reached while states are put together ends the query", async (t) => {
  const { pool, called } = toldPool();
  const signal = new AbortController().signal;
  const ended = runAggregate(pool, [unit, unit], requestOf(1000), signal).then(
    () => "answered",
    (error: Error) => error.name,
  );
  const [first, second] = [await called("aggregate"), await called("aggregate")];
  first(resultOf(600_000, 1));
  const merge = await called("mergeStates");
  second(resultOf(1, 1_000_000));
  await new Promise((resolve) => setImmediate(resolve));
  merge(resultOf(1, 0));
  void called("windows").then((windows) => windows(windowsResult));
  t.equal(await ended, "QueryReadsTooMuch");
});
