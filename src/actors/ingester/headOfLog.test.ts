/** The unflushed rows of a partition read from its log: those that the query needs, and what is too much for memory. */
import { Effect, Layer } from "effect";
import t from "tap";
import { Index } from "../../storage/Index.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { buildBatch, encodeBatch } from "../../streams/batch.ts";
import { makeMatcher } from "../../streams/matcher.ts";
import { memoryIndex, memoryWriteLog } from "../../testing/memoryStorage.ts";
import { columnsOf } from "../../testing/modelRows.ts";
import { HeadTooLarge } from "../protocol/head.ts";
import { headOfLog } from "./headOfLog.ts";

/** A record of one line of 1000 bytes. */
function recordOf(app: string, timestamp: bigint): Uint8Array {
  const row = { timestamp, line: Array.from({ length: 1000 }, () => 65), metadata: [] };
  const slices = [{ labels: `{app="${app}"}`, rowStart: 0, rowEnd: 1 }];
  return encodeBatch(buildBatch("t", slices, columnsOf([row])), "none");
}

const query = {
  tenant: "t",
  matchers: [makeMatcher("app", "=", "seldom")],
  range: { start: 0n, end: 1000n },
};

const run = <Result, Failure>(body: Effect.Effect<Result, Failure, WriteLog | Index>) =>
  Effect.runPromise(body.pipe(Effect.provide(Layer.merge(memoryWriteLog(), memoryIndex()))));

t.test("only records with rows of the query count for its limit", async (t) => {
  await run(Effect.gen(function* () {
    const writeLog = yield* WriteLog;
    const index = yield* Index;
    for (let count = 0; count < 100; count++) {
      const app = count % 50 === 0 ? "seldom" : "often";
      yield* writeLog.append(0, recordOf(app, BigInt(count)));
    }
    const head = yield* headOfLog(writeLog, index, 0, query, 5000);
    t.same(head.streams.map(({ labels, slices }) => [labels, slices.length]), [[
      '{app="seldom"}',
      2,
    ]]);
    t.same([head.logFrom, head.logTo], [1, 101]);

    for (let count = 0; count < 10; count++) yield* writeLog.append(0, recordOf("seldom", 200n));
    const error = yield* Effect.flip(headOfLog(writeLog, index, 0, query, 5000));
    t.ok(error instanceof HeadTooLarge && error.bytes > 5000);

    const labels = yield* headOfLog(writeLog, index, 0, { ...query, labelsOnly: true }, 5000);
    t.same(labels.streams, [{ labels: '{app="seldom"}', slices: [] }]);
  }));
});
