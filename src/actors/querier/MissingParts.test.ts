/** Which sources a job is left with when segments cannot be read, and which errors stay errors. */
import t from "tap";
import type { ScanUnit } from "../protocol/scan.ts";
import type { Scanners, UnitsJob } from "../Scanners.ts";
import { MissingParts } from "./MissingParts.ts";

class Unreadable extends Error {}

/** Answers the segments that a job reads, unit by unit, and fails for some. */
function poolOf(failures: Readonly<Record<string, Error>>) {
  const ran: string[][][] = [];
  const pool = {
    threadCount: 2,
    run: async <Result>(_kind: string, { units }: UnitsJob) => {
      await Promise.resolve();
      const keys = units.map(({ sources }) =>
        sources.map((source) => "chunk" in source ? source.chunk.key : "head")
      );
      ran.push(keys);
      for (const key of keys.flat()) if (failures[key] !== undefined) throw failures[key];
      return keys as Result;
    },
    compute: (kind) => Promise.reject(new Error(kind)),
  } satisfies Scanners["Service"];
  return { pool, ran };
}

function jobOf(...units: string[][]): UnitsJob {
  return {
    units: units.map((keys): ScanUnit => ({
      labels: "{}",
      sources: keys.map((key) =>
        key === "head"
          ? { batch: 0, rowStart: 0, rowEnd: 1 }
          : { chunk: { key, offset: 0, length: 1 } }
      ),
    })),
  };
}

const isUnreadable = (error: unknown) => error instanceof Unreadable;

t.test("only the segments that cannot be read are left out, and counted once", async (t) => {
  const missing = new MissingParts();
  const { pool, ran } = poolOf({ b: new Unreadable("b is gone"), c: new Unreadable("c too") });
  const scanners = missing.scanners(pool, isUnreadable);
  const job = jobOf(["a", "b"], ["b"], ["head", "c"], ["d"]);
  t.same(await scanners.run("scan", job, {}), [["a"], [], ["head"], ["d"]]);
  t.same(missing.warnings(), [
    "partial result: lines may be missing, 2 segments could not be read: b is gone",
  ]);
  const before = ran.length;
  t.same(await scanners.run("scan", jobOf(["b"], ["a"]), {}), [[], ["a"]]);
  t.equal(ran.length, before + 1, "what is known to be missing is not tried again");
  missing.leaveOutPartition(3, "no owner");
  t.match(missing.warnings()[0], /2 segments and the unflushed lines of 1 partition could/);
  missing.leaveOutPartition("new", "no leader");
  t.match(missing.warnings()[0], /of 1 partition and those of partitions that may be new could/);
});

t.test("a job that fails when another has found its segment missing goes on without it", async (t) => {
  const missing = new MissingParts();
  const { pool } = poolOf({ b: new Unreadable("b is gone") });
  let late: (() => void) | undefined;
  const run = async <Result>(kind: string, job: UnitsJob) => {
    // The first job's failure is heard of when the second is through.
    if (late === undefined) await new Promise<void>((resolve) => late = resolve);
    return await pool.run<Result>(kind, job);
  };
  const scanners = missing.scanners({ ...pool, run }, isUnreadable);
  const first = scanners.run("scan", jobOf(["a", "b"]), {});
  t.same(await scanners.run("scan", jobOf(["b", "c"]), {}), [["c"]]);
  late!();
  t.same(await first, [["a"]]);
  t.match(missing.warnings()[0], /1 segment could not/);
});

t.test("an answer that lacks nothing has no warnings", async (t) => {
  const missing = new MissingParts();
  const scanners = missing.scanners(poolOf({}).pool, isUnreadable);
  t.same(await scanners.run("scan", jobOf(["a"]), {}), [["a"]]);
  t.same(missing.warnings(), []);
});

t.test("other errors, and those of a query that has ended, are the query's", async (t) => {
  const missing = new MissingParts();
  const wrong = missing.scanners(poolOf({ a: new Error("wrong") }).pool, isUnreadable);
  await t.rejects(wrong.run("scan", jobOf(["a"]), {}), { message: "wrong" });
  const head = missing.scanners(poolOf({ head: new Unreadable("head") }).pool, isUnreadable);
  await t.rejects(head.run("scan", jobOf(["head"], ["a"]), {}), { message: "head" });
  const gone = missing.scanners(poolOf({ a: new Unreadable("a") }).pool, isUnreadable);
  await t.rejects(gone.run("scan", jobOf(["a"]), { signal: AbortSignal.abort() }), {
    message: "a",
  });
  t.same(missing.warnings(), []);
});
