/** Live tails without a network: who gets which rows, in which order, what a full buffer drops and
 *  says, and that closing frees. */
import { Effect, Fiber, Metric } from "effect";
import fc from "fast-check";
import t from "tap";
import { tailClients, tailLinesDropped } from "../../platform/metrics.ts";
import { type Batch, buildBatch } from "../../streams/batch.ts";
import { makeMatcher } from "../../streams/matcher.ts";
import { columnsOf, type ModelRow } from "../../testing/modelRows.ts";
import { pipelineOf } from "../../testing/pipelines.ts";
import { randomFrom } from "../../testing/random.ts";
import { Tailer, type TailRequest, type Taken } from "./Tailer.ts";

type Streams = Readonly<Record<string, ReadonlyArray<ModelRow>>>;

function batchOf(streams: Streams, tenant = "t"): Batch {
  let row = 0;
  const slices = Object.entries(streams).map(([labels, rows]) => ({
    labels,
    rowStart: row,
    rowEnd: row += rows.length,
  }));
  return buildBatch(tenant, slices, columnsOf(Object.values(streams).flat()));
}

const encoder = new TextEncoder();
const row = (
  timestamp: bigint,
  line: string,
  metadata: ModelRow["metadata"] = [],
): ModelRow => ({ timestamp, line: [...encoder.encode(line)], metadata });

const request: TailRequest = {
  tenant: "t",
  matchers: [makeMatcher("app", "=", "a")],
  pipeline: pipelineOf(""),
  bufferBytesMax: 1000,
};

/** What was taken, as "offset labels line". */
function textsOf({ rows }: Taken): string[] {
  const decoder = new TextDecoder();
  return rows.flatMap(({ offset, labels, rows: { lines, lineEnds } }) =>
    Array.from(lineEnds, (end, row) => {
      const line = decoder.decode(lines.slice(row === 0 ? 0 : lineEnds[row - 1]!, end));
      return `${offset} ${labels} ${line}`;
    })
  );
}

function tailTest(name: string, body: (tailer: Tailer["Service"]) => Effect.Effect<void>): void {
  t.test(
    name,
    () => Effect.runPromise(Effect.flatMap(Tailer, body).pipe(Effect.provide(Tailer.layer))),
  );
}

tailTest(
  "a tail gets matching rows of its tenant in log order, from its subscription on",
  (tailer) =>
    Effect.gen(function* () {
      const a = '{app="a"}';
      tailer.publish(0, 1, batchOf({ [a]: [row(1n, "before")] }));
      const tail = tailer.subscribe({
        ...request,
        pipeline: pipelineOf('|= "o" | level!="debug"'),
      });
      tailer.publish(
        0,
        2,
        batchOf({
          [a]: [row(9n, "one"), row(3n, "two"), row(1n, "x"), row(1n, "foo", [["level", "debug"]])],
          '{app="b"}': [row(1n, "not asked for")],
          '{app="a", level="debug"}': [row(1n, "not wanted")],
          '{app="a", level="info"}': [row(1n, "so", [["level", "debug"]])],
        }),
      );
      tailer.publish(0, 3, batchOf({ [a]: [row(1n, "other tenant")] }, "other"));
      tailer.publish(1, 7, batchOf({ [a]: [row(0n, "partition one")] }));
      const taken = yield* tail.take;
      t.same(textsOf(taken), [
        '2 {app="a"} one',
        '2 {app="a"} two',
        '2 {app="a", level="info"} so',
        '7 {app="a"} partition one',
      ]);
      t.equal(taken.droppedCount, 0);
      const waiting = yield* Effect.forkChild(tail.take);
      yield* Effect.yieldNow;
      tailer.publish(0, 4, batchOf({ [a]: [row(5n, "oh")] }));
      t.same(textsOf(yield* Fiber.join(waiting)), ['4 {app="a"} oh']);
      tail.close();
    }),
);

tailTest(
  "what a full buffer drops is counted and named, and taking makes room",
  (tailer) =>
    Effect.gen(function* () {
      const before = (yield* Metric.value(tailLinesDropped)).count;
      const tail = tailer.subscribe({ ...request, bufferBytesMax: 200 });
      const publish = (offset: number, ...lines: string[]) => {
        const rows = lines.map((line, index) => row(BigInt(offset * 100 + index), line));
        tailer.publish(0, offset, batchOf({ '{app="a"}': rows }));
      };
      publish(1, "1".repeat(300));
      publish(2, "abc", "de");
      publish(3, "f");
      const taken = yield* tail.take;
      t.same(textsOf(taken).map((text) => text.slice(0, 2)), ["1 "], "the first always fits");
      t.equal(taken.droppedCount, 3);
      t.strictSame([taken.droppedFrom, taken.droppedTo], [200n, 300n]);
      t.same(taken.dropped, [200n, 201n, 300n].map((time) => ({ labels: '{app="a"}', time })));
      t.equal((yield* Metric.value(tailLinesDropped)).count, before + 3);
      publish(4, "12345");
      publish(5, "67890");
      const next = yield* tail.take;
      t.equal(textsOf(next).length, 2);
      t.equal(next.droppedCount, 0);
      publish(6, "12345678");
      publish(7, ...Array.from({ length: 5000 }, () => "xyz"));
      const many = yield* tail.take;
      t.equal(many.droppedCount, 5000);
      t.equal(many.dropped.length, 1000);
      t.strictSame([many.droppedFrom, many.droppedTo], [700n, 5699n], "also of those not named");
      tail.close();
    }),
);

tailTest(
  "a filter that takes too long drops what is left of a batch, and only that",
  (tailer) =>
    Effect.gen(function* () {
      const tail = tailer.subscribe({ ...request, pipeline: pipelineOf('|~ "x[xy]{14}z$"') });
      // A text that takes the expression's automaton through ever new states.
      const random = randomFrom("noise");
      const noise = Array.from({ length: 100_000 }, () => random.below(2) === 0 ? "x" : "y");
      const long = Array.from(
        { length: 100 },
        (_, index) => row(BigInt(index), `z${noise.join("")}`),
      );
      const short = row(200n, `${"x".repeat(20)}z`);
      tailer.publish(0, 1, batchOf({ '{app="a"}': [...long, short] }));
      tailer.publish(0, 2, batchOf({ '{app="a"}': [short] }));
      const taken = yield* tail.take;
      t.equal(taken.droppedCount, 101);
      t.equal(taken.unexaminedCount, 101);
      t.same(taken.rows.map(({ offset }) => offset), [2]);
      const first = tailer.subscribe({
        ...request,
        pipeline: pipelineOf('|= "x" |~ "x[xy]{14}z$"'),
      });
      const other = row(300n, "no such letter");
      tailer.publish(0, 3, batchOf({ '{app="a"}': [short, other, other, ...long, other, short] }));
      const some = yield* first.take;
      t.same(
        [some.droppedCount, some.unexaminedCount, some.rows.length],
        [102, 102, 0],
        "without those that another filter refused",
      );
      first.close();
      tail.close();
    }),
);

tailTest(
  "what lies before the place where a tail starts is neither in it nor counted",
  (tailer) =>
    Effect.gen(function* () {
      const before = (yield* Metric.value(tailLinesDropped)).count;
      const tail = tailer.subscribe({ ...request, bufferBytesMax: 200 });
      const publish = (partition: number, offset: number, ...lines: string[]) => {
        const rows = lines.map((line, index) => row(BigInt(offset * 100 + index), line));
        tailer.publish(partition, offset, batchOf({ '{app="a"}': rows }));
      };
      publish(0, 1, "1".repeat(300));
      for (const partition of [0, 1]) {
        publish(partition, 2, "abc", "de");
        publish(partition, 3, "f");
      }
      tail.startAt(new Map([[0, 3], [1, 2]]));
      publish(0, 2, "late");
      publish(0, 4, "g");
      const taken = yield* tail.take;
      t.same(textsOf(taken), ['4 {app="a"} g']);
      t.equal(taken.droppedCount, 4);
      t.same(taken.dropped.map(({ time }) => time), [300n, 200n, 201n, 300n]);
      t.strictSame([taken.droppedFrom, taken.droppedTo], [200n, 300n]);
      t.equal((yield* Metric.value(tailLinesDropped)).count, before + 4);
      tail.close();
    }),
);

tailTest(
  "what is lost on the way is a dropped row without labels",
  (tailer) =>
    Effect.gen(function* () {
      const [tail, other] = [
        tailer.subscribe(request),
        tailer.subscribe({ ...request, tenant: "other" }),
      ];
      const waiting = yield* Effect.forkChild(tail.take);
      yield* Effect.yieldNow;
      tailer.lose("t");
      const { droppedCount, dropped, rows } = yield* Fiber.join(waiting);
      t.same([droppedCount, dropped.map(({ labels }) => labels), rows], [1, ["{}"], []]);
      tailer.publish(0, 1, batchOf({ '{app="a"}': [row(1n, "x")] }, "other"));
      t.equal((yield* other.take).droppedCount, 0, "for its tenant's tails only");
      tail.close();
      other.close();
    }),
);

tailTest("closing a tail frees its place, once", (tailer) =>
  Effect.gen(function* () {
    const start = (yield* Metric.value(tailClients)).value;
    const [first, second] = [tailer.subscribe(request), tailer.subscribe(request)];
    const other = tailer.subscribe({ ...request, tenant: "other" });
    t.same([tailer.count("t"), tailer.count("other"), tailer.count("nobody")], [2, 1, 0]);
    t.equal((yield* Metric.value(tailClients)).value, start + 3);
    first.close();
    first.close();
    t.equal(tailer.count("t"), 1);
    second.close();
    const third = tailer.subscribe(request);
    second.close();
    t.equal(tailer.count("t"), 1, "closing again closes nobody else");
    t.equal((yield* Metric.value(tailClients)).value, start + 2);
    tailer.publish(0, 1, batchOf({ '{app="a"}': [row(1n, "x")] }));
    t.same(textsOf(yield* third.take), ['1 {app="a"} x']);
    third.close();
    other.close();
    t.equal((yield* Metric.value(tailClients)).value, start);
  }));

tailTest("a client that keeps up gets every row of every batch", (tailer) =>
  Effect.sync(() => {
    const batches = fc.array(
      fc.record({
        '{app="a"}': fc.array(fc.string({ maxLength: 8 }), { minLength: 1, maxLength: 5 }),
        '{app="b"}': fc.array(fc.string({ maxLength: 8 }), { maxLength: 2 }),
      }, { noNullPrototype: true }),
      { minLength: 1, maxLength: 10 },
    );
    fc.assert(fc.property(batches, (batches) => {
      const tail = tailer.subscribe({ ...request, bufferBytesMax: 100_000 });
      batches.forEach((streams, offset) => {
        const rows = Object.entries(streams).map(([labels, lines]) =>
          [labels, lines.map((line) => row(0n, line))] as const
        );
        tailer.publish(0, offset, batchOf(Object.fromEntries(rows)));
      });
      const wanted = batches.flatMap((streams, offset) =>
        streams['{app="a"}'].map((line) => `${offset} {app="a"} ${line}`)
      );
      t.same(textsOf(Effect.runSync(tail.take)), wanted);
      tail.close();
    }));
  }));
