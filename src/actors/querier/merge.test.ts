/** Keeping the first rows of results that arrive in any order, against sorting everything at once;
 *  and the scan that drives it. */
import fc from "fast-check";
import t from "tap";
import type { Scanners } from "../Scanners.ts";
import { describePipeline } from "../../logql/pipelinePlan.ts";
import type { Direction, ScanJob, ScanResult } from "../protocol/scan.ts";
import type { PlannedUnit } from "../policy/scanPlan.ts";
import { TopRows } from "./merge.ts";
import type { LogRequest } from "./Querier.ts";
import { HeldAnswers } from "../HeldAnswers.ts";
import { runScan } from "./runScan.ts";

/** Rows of one unit: times in the order of the stream's arrival. */
interface ModelUnit {
  readonly labels: string;
  readonly times: ReadonlyArray<bigint>;
}

/** A unit of a stream covers times that no other unit of that stream does: planUnits sees to it. */
const unitsArbitrary: fc.Arbitrary<ModelUnit[]> = fc.uniqueArray(
  fc.record({
    stream: fc.nat(3),
    part: fc.nat(3),
    offsets: fc.array(fc.bigInt({ min: 0n, max: 4n }), { maxLength: 6 }),
  }),
  { selector: ({ stream, part }) => `${stream} ${part}`, maxLength: 10 },
).map((units) =>
  units.map(({ stream, part, offsets }) => ({
    labels: `{s="${stream}"}`,
    times: offsets.map((offset) => BigInt(part) * 5n + offset).sort((a, b) => Number(a - b)),
  }))
);

function plannedOf({ labels, times }: ModelUnit): PlannedUnit {
  return { labels, sources: [], minTime: times[0] ?? 0n, maxTime: times.at(-1) ?? 0n, bytes: 1 };
}

/** What a thread answers for some units: each unit's rows in the query's direction. Row number r of
 *  unit u is the line "u:r". */
function resultOf(
  units: ReadonlyArray<readonly [ModelUnit, number]>,
  direction: Direction,
): ScanResult {
  const encoder = new TextEncoder();
  const times: bigint[] = [];
  const lines: number[] = [];
  const lineEnds: number[] = [];
  const unitRowEnds = units.map(([unit, number]) => {
    const rows = unit.times.map((time, row) => ({ time, line: `${number}:${row}` }));
    for (const { time, line } of direction === "backward" ? rows.reverse() : rows) {
      times.push(time);
      lines.push(...encoder.encode(line));
      lineEnds.push(lines.length);
    }
    return times.length;
  });
  return {
    unitRowEnds: Uint32Array.from(unitRowEnds),
    timestamps: BigInt64Array.from(times),
    lineEnds: Uint32Array.from(lineEnds),
    lines: Uint8Array.from(lines),
    metaEnds: new Uint32Array(times.length),
    meta: new Uint8Array(0),
    parsedEnds: new Uint32Array(times.length),
    parsed: new Uint8Array(0),
    streamIds: new Uint32Array(times.length),
    streams: [],
    stats: { bytesScanned: lines.length, rowsScanned: times.length, bytesRead: 0, chunksRead: 0 },
  };
}

/** The first rows of all, by time, then stream, then arrival; backward is exactly the reverse of
 *  forward. */
function naive(units: ReadonlyArray<ModelUnit>, limit: number, direction: Direction): string[] {
  const rows = units.flatMap(({ labels, times }, unit) =>
    times.map((time, row) => ({ time, labels, row, line: `${unit}:${row}` }))
  );
  rows.sort((a, b) =>
    Number(a.time - b.time) || (a.labels < b.labels ? -1 : a.labels > b.labels ? 1 : 0) ||
    a.row - b.row
  );
  if (direction === "backward") rows.reverse();
  return rows.slice(0, limit).map(({ line }) => line);
}

const linesOf = (rows: ReadonlyArray<{ readonly line: Uint8Array }>) =>
  rows.map(({ line }) => new TextDecoder().decode(line));

const directions = fc.constantFrom<Direction>("backward", "forward");

t.test("TopRows keeps what sorting all rows gives, whatever comes in which order and portions", (t) => {
  fc.assert(
    fc.property(
      unitsArbitrary,
      fc.integer({ min: 1, max: 12 }),
      directions,
      fc.array(fc.nat(3)),
      (units, limit, direction, portions) => {
        const top = new TopRows(limit, direction);
        const numbered = units.map((unit, number) => [unit, number] as const);
        for (let from = 0, index = 0; from < numbered.length; index++) {
          const some = numbered.slice(from, from += 1 + (portions[index] ?? 0));
          top.add(some.map(([unit]) => plannedOf(unit)), resultOf(some, direction));
          t.ok(top.rows.length <= limit);
        }
        const wanted = naive(units, limit, direction);
        t.same(linesOf(top.rows), wanted);
        t.equal(top.bytes, wanted.join("").length);
        const sorted = naive(units, Infinity, direction);
        t.equal(top.threshold === undefined, sorted.length < limit);
        for (const [unit, number] of numbered) {
          // What is past must not hold a row of the answer.
          if (!top.isPast(plannedOf(unit))) continue;
          t.notOk(wanted.some((line) => line.startsWith(`${number}:`)) && unit.times.length > 0);
        }
      },
    ),
    { numRuns: 1000 },
  );
  t.end();
});

const requestOf = (limit: number, direction: Direction): LogRequest => ({
  tenant: "t",
  matchers: [],
  pipeline: describePipeline([]),
  range: { start: -100n, end: 100n },
  limit,
  direction,
});

const limitless = { bytesMax: 1_000_000, bytesScannedMax: 0 };

/** Units in plan order, and a pool that answers each job from the model after a wait that lets
 *  later jobs overtake. */
function scanned(units: ReadonlyArray<ModelUnit>, direction: Direction, threadCount: number) {
  const filled = units.filter(({ times }) => times.length > 0);
  const planned = filled.map(plannedOf);
  const numberOf = new Map(planned.map((unit, number) => [unit.labels + unit.minTime, number]));
  const order = [...planned].sort((a, b) =>
    Number(direction === "backward" ? b.maxTime - a.maxTime : a.minTime - b.minTime)
  );
  // Jobs are made in plan order, so a job's units follow those of the job before.
  let next = 0;
  const pool = {
    threadCount,
    run: async (_kind: string, job: ScanJob) => {
      const some = order.slice(next, next += job.units.length).map((unit) => {
        const number = numberOf.get(unit.labels + unit.minTime)!;
        return [filled[number]!, number] as const;
      });
      await new Promise((resolve) => setTimeout(resolve, 2 - next % 3));
      return resultOf(some, direction);
    },
  } as unknown as Scanners["Service"];
  return { filled, order, pool };
}

/** Also where there is hardly any room. */
const held = () => new HeldAnswers({ bytesMax: 10 }).open();

t.test("runScan answers with the first rows, however jobs overtake each other", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      unitsArbitrary,
      fc.integer({ min: 1, max: 12 }),
      directions,
      fc.integer({ min: 1, max: 3 }),
      async (units, limit, direction, threadCount) => {
        const { filled, order, pool } = scanned(units, direction, threadCount);
        const { signal } = new AbortController();
        const large = order.map((unit) => ({ ...unit, bytes: 1_000_000 }));
        const request = requestOf(limit, direction);
        const settled: string[][] = [];
        const { rows } = await runScan(
          pool,
          large,
          request,
          limitless,
          held(),
          signal,
          (progress) => {
            t.ok(progress.bytesDone <= progress.bytesTotal);
            settled.push(linesOf(progress.rows.slice(0, progress.settledCount)));
          },
        );
        const wanted = naive(filled, limit, direction);
        t.same(linesOf(rows), wanted);
        for (const some of settled) t.same(some, wanted.slice(0, some.length));
        if (filled.length > 0) t.same(settled.at(-1), wanted, "all are settled in the end");
      },
    ),
    { numRuns: 100 },
  );
});

t.test("runScan ends a query that returns or reads more than allowed", async (t) => {
  const units: ModelUnit[] = [{ labels: '{s="1"}', times: [1n, 2n, 3n] }];
  const run = (limits: { readonly bytesMax: number; readonly bytesScannedMax: number }) => {
    const { order, pool } = scanned(units, "forward", 1);
    const { signal } = new AbortController();
    return runScan(pool, order, requestOf(10, "forward"), limits, held(), signal);
  };
  await t.rejects(run({ bytesMax: 8, bytesScannedMax: 0 }), { name: "ResponseTooLarge" });
  await t.rejects(run({ bytesMax: 100, bytesScannedMax: 8 }), { name: "QueryReadsTooMuch" });
  t.equal((await run({ bytesMax: 9, bytesScannedMax: 9 })).rows.length, 3);
});
