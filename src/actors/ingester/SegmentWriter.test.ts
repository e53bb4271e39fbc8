/** What SegmentWriter counts, and that the log is released only below what is committed. Exactly-once under failures is
 *  partition.test.ts's. */
import { Effect, Metric } from "effect";
import t from "tap";
import { flushFailures, segmentBytesFlushed, segmentsFlushed } from "../../platform/metrics.ts";
import { Index, IndexError } from "../../storage/Index.ts";
import { ObjectStore, ObjectStoreError } from "../../storage/ObjectStore.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { memoryIndex, memoryObjectStore, memoryWriteLog } from "../../testing/memoryStorage.ts";
import { SegmentWriter } from "./SegmentWriter.ts";

const counts = Effect.gen(function* () {
  return {
    segments: (yield* Metric.value(segmentsFlushed)).count,
    bytes: (yield* Metric.value(segmentBytesFlushed)).count,
    failures: (yield* Metric.value(flushFailures)).count,
  };
});

t.test("write commits, counts and releases; a failure counts and releases nothing", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* ObjectStore;
      const index = yield* Index;
      const log = yield* WriteLog;
      for (let record = 0; record < 4; record++) yield* log.append(0, Uint8Array.of(record));
      const start = yield* counts;
      yield* new SegmentWriter(store, index, log, () => 1n).write(0, 1, 3, []);
      const [object] = yield* store.list("");
      t.same(yield* counts, {
        segments: start.segments + 1,
        bytes: start.bytes + object!.bytes,
        failures: start.failures,
      });
      t.same(yield* log.bounds(0), { first: 3, next: 5 });

      const put = () =>
        Effect.fail(new ObjectStoreError({ reason: "Full", key: "k", message: "disk full" }));
      const fullStore = { ...store, put };
      const full = new SegmentWriter(fullStore, index, log, () => 1n).write(0, 3, 5, []);
      t.equal((yield* Effect.flip(full)).message, "disk full");
      const commit = () => Effect.fail(new IndexError({ reason: "Io", message: "cannot write" }));
      const dead = new SegmentWriter(store, { ...index, commit }, log, () => 1n).write(0, 3, 5, []);
      t.equal((yield* Effect.flip(dead)).message, "cannot write");
      t.equal((yield* counts).failures, start.failures + 2);
      t.equal((yield* counts).segments, start.segments + 1);
      t.same(yield* log.bounds(0), { first: 3, next: 5 });
    }).pipe(Effect.provide([memoryWriteLog(), memoryObjectStore(), memoryIndex()])),
  ));
