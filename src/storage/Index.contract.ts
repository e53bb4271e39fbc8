/** What every Index must do, as tests over a way to open one. Random questions are compared with memoryIndex, which tries every
 *  chunk (src/testing/memoryStorage.ts). */
import { Effect, type Layer } from "effect";
import fc from "fast-check";
import t, { type Test } from "tap";
import { formatLabels, labelsFromObject } from "../streams/labels.ts";
import { makeMatcher } from "../streams/matcher.ts";
import type { SegmentRecord, StreamRecord } from "../streams/record.ts";
import { memoryIndex } from "../testing/memoryStorage.ts";
import { type ChunkRef, Index, type IndexError, type IndexQuery } from "./Index.ts";

/** An index that can be opened several times, one after the other, over the same stored records. */
export interface IndexFixture {
  readonly open: () => Layer.Layer<Index, unknown>;
  readonly cleanUp: () => Promise<void>;
}

/** Runs the suite; each test gets a fixture of its own. */
export function indexContract(name: string, makeFixture: () => Promise<IndexFixture>): void {
  const test = (title: string, body: (t: Test, fixture: IndexFixture) => Promise<void>) =>
    t.test(`${name}: ${title}`, async (t) => {
      const fixture = await makeFixture();
      try {
        await body(t, fixture);
      } finally {
        await fixture.cleanUp();
      }
    });

  test("a commit moves the checkpoint and is there after an opening", async (t, fixture) => {
    await within(fixture, function* (index) {
      t.equal(yield* index.checkpoint(0), 1);
      yield* index.commit(segment(0, 1, 10));
      yield* index.commit(segment(0, 10, 25));
      yield* index.commit(segment(7, 1, 3));
    });
    await within(fixture, function* (index) {
      t.equal(yield* index.checkpoint(0), 25);
      t.equal(yield* index.checkpoint(7), 3);
      t.equal(yield* index.checkpoint(1), 1);
      const segments = yield* index.segments();
      t.same(
        segments,
        [segment(0, 1, 10), segment(0, 10, 25), segment(7, 1, 3)].map(withoutStreams),
      );
      t.equal((yield* index.findChunks(everything)).length, 3);
    });
  });

  test(
    "a commit elsewhere than at the checkpoint is refused and changes nothing",
    async (t, fixture) => {
      await within(fixture, function* (index) {
        yield* index.commit(segment(0, 1, 10));
        yield* index.commit(segment(0, 1, 10));
        for (
          const other of [
            segment(0, 1, 12),
            segment(0, 5, 12),
            segment(0, 11, 12),
            segment(1, 2, 3),
          ]
        ) {
          const error: IndexError = yield* Effect.flip(index.commit(other));
          t.equal(error.reason, "Conflict", other.key);
        }
        const sameKey = { ...segment(0, 10, 20), key: segment(0, 1, 10).key };
        t.equal((yield* Effect.flip(index.commit(sameKey))).reason, "Conflict");
        t.equal(yield* index.checkpoint(0), 10);
        t.equal((yield* index.segments()).length, 1);
        t.equal((yield* index.findChunks(everything)).length, 1);
      });
    },
  );

  test("of concurrent commits at one checkpoint one wins", async (t, fixture) => {
    await within(fixture, function* (index) {
      const exits = yield* Effect.all(
        [11, 12, 13, 14].map((to) => Effect.exit(index.commit(segment(0, 1, to, 2000)))),
        { concurrency: "unbounded" },
      );
      t.equal(exits.filter((exit) => exit._tag === "Success").length, 1);
      t.equal((yield* index.segments()).length, 1);
    });
  });

  test("restore needs no checkpoint", async (t, fixture) => {
    await within(fixture, function* (index) {
      yield* index.restore(segment(0, 50, 60));
      yield* index.restore(segment(0, 20, 30));
      t.equal(yield* index.checkpoint(0), 60);
      t.same((yield* index.segments()).map((one) => one.logFrom), [20, 50]);
    });
  });

  test(
    "a time range is half open, a chunk's times are inclusive, to the nanosecond",
    async (t, fixture) => {
      const start = 1_700_000_000_000_000_001n;
      const chunk = { ...chunkAt(start), maxTime: start + 9n };
      const streams = [{ tenant: "fake", labels: '{a="b"}', chunks: [chunk] }];
      await within(fixture, function* (index) {
        yield* index.commit({ ...segment(0, 1, 2), streams });
        const found = function* (from: bigint, to: bigint) {
          return (yield* index.findChunks({ ...everything, range: { start: from, end: to } }))
            .length;
        };
        t.equal(yield* found(start - 5n, start), 0);
        t.equal(yield* found(start - 5n, start + 1n), 1);
        t.equal(yield* found(start + 9n, start + 10n), 1);
        t.equal(yield* found(start + 10n, start + 99n), 0);
        const [ref] = yield* index.findChunks(everything);
        t.same(ref, {
          ...chunk,
          segmentKey: "p0-1-2",
          partition: 0,
          logFrom: 1,
          labels: '{a="b"}',
        });
      });
    },
  );

  test("coveredTo leaves out segments that end later", async (t, fixture) => {
    await within(fixture, function* (index) {
      yield* index.commit(segment(0, 1, 10));
      yield* index.commit(segment(0, 10, 20));
      yield* index.commit(segment(1, 1, 5));
      const from = function* (coveredTo: ReadonlyArray<readonly [number, number]>) {
        const found = yield* index.findChunks({ ...everything, coveredTo: new Map(coveredTo) });
        return found.map((chunk) => `${chunk.partition}:${chunk.logFrom}`).sort();
      };
      t.same(yield* from([]), ["0:1", "0:10", "1:1"]);
      t.same(yield* from([[0, 20], [1, 5]]), ["0:1", "0:10", "1:1"]);
      t.same(yield* from([[0, 10]]), ["0:1", "1:1"]);
      t.same(yield* from([[0, 1], [1, 4]]), []);
    });
  });

  test(
    "random questions get the answers of the index that tries every chunk",
    async (t, fixture) => {
      const model = memoryIndex();
      let checked = 0;
      await within(fixture, function* (index) {
        const truth = yield* Effect.provide(Index, model);
        const next = new Map<number, number>();
        const commit = (partition: number, streams: ReadonlyArray<StreamRecord>) =>
          Effect.gen(function* () {
            const from = next.get(partition) ?? 1;
            next.set(partition, from + 3);
            const record = { ...segment(partition, from, from + 3), streams };
            yield* index.commit(record);
            yield* truth.commit(record);
          });
        const property = fc.asyncProperty(
          partitions,
          segmentStreams,
          queries,
          async (partition, streams, list) => {
            await Effect.runPromise(Effect.gen(function* () {
              yield* commit(partition, streams);
              for (const query of list) {
                t.same(
                  ordered(yield* index.findChunks(query)),
                  ordered(yield* truth.findChunks(query)),
                  describe(query),
                );
                t.same(yield* index.findStreams(query), yield* truth.findStreams(query));
                t.same(yield* index.labelNames(query), yield* truth.labelNames(query));
                t.same(yield* index.labelValues(query, "a"), yield* truth.labelValues(query, "a"));
                t.same(yield* index.stats(query), yield* truth.stats(query));
                checked += (yield* truth.stats(query)).chunks > 0 ? 1 : 0;
              }
            }));
          },
        );
        yield* Effect.promise(() => fc.assert(property, { numRuns: 60 }));
      });
      t.ok(checked > 50, `${checked} questions found something`);
    },
  );
}

const values = fc.constantFrom(
  "",
  "x",
  "y",
  "xy",
  "yyy",
  'q"\\',
  "é\u{1f600}",
  "a\u0000b",
  "line\nbreak",
  "200",
);
const names = fc.constantFrom("a", "b", "c", "rare");
const tenants = fc.constantFrom("fake", "other");
const partitions = fc.constantFrom(0, 1, 2);
const times = fc.bigInt(0n, 100n);

const labelSets = fc.dictionary(names, values, { maxKeys: 4 }).map((set) =>
  formatLabels(labelsFromObject(set))
);

const chunks = fc.array(fc.tuple(times, fc.bigInt(0n, 20n)), { minLength: 1, maxLength: 3 }).map((
  list,
) =>
  list.map(([minTime, span], index) => ({
    offset: 48 + index * 100,
    length: 100,
    rowCount: 1 + index,
    rawBytes: 1000 + index,
    minTime,
    maxTime: minTime + span,
  }))
);

const segmentStreams: fc.Arbitrary<ReadonlyArray<StreamRecord>> = fc.uniqueArray(
  fc.record({ tenant: tenants, labels: labelSets, chunks }),
  { maxLength: 12, selector: ({ tenant, labels }) => tenant + labels },
);

const matchers = fc.oneof(
  fc.tuple(names, fc.constantFrom("=", "!="), values),
  fc.tuple(
    names,
    fc.constantFrom("=~", "!~"),
    fc.constantFrom(
      ".*",
      ".+",
      "",
      "x|y",
      "x|",
      "y+",
      "[^x]*",
      "x.?",
      "nothing",
      "(?s).*\\n.*",
      "\\d+",
    ),
  ),
).map(([name, op, value]) => makeMatcher(name, op as "=", value));

const queries = fc.array(
  fc.record({
    tenant: tenants,
    matchers: fc.array(matchers, { maxLength: 3 }),
    range: fc.tuple(times, fc.bigInt(-5n, 100n)).map(([start, span]) => ({
      start,
      end: start + span,
    })),
    coveredTo: fc.array(fc.tuple(partitions, fc.nat(200)), { maxLength: 2 }).map((list) =>
      new Map(list)
    ),
  }),
  { minLength: 4, maxLength: 8 },
);

const everything: IndexQuery = {
  tenant: "fake",
  matchers: [],
  range: { start: -(2n ** 80n), end: 2n ** 80n },
  coveredTo: new Map(),
};

type Service = (typeof Index)["Service"];

function within(
  fixture: IndexFixture,
  body: (index: Service) => Generator<Effect.Effect<unknown, unknown>, void, never>,
): Promise<void> {
  const program = Effect.flatMap(Index, (index) => Effect.gen(() => body(index)));
  return Effect.runPromise(program.pipe(Effect.provide(fixture.open()), Effect.scoped));
}

function chunkAt(time: bigint) {
  return { offset: 48, length: 100, rowCount: 2, rawBytes: 300, minTime: time, maxTime: time };
}

function segment(
  partition: number,
  logFrom: number,
  logTo: number,
  streamCount = 1,
): SegmentRecord {
  const streams = Array.from({ length: streamCount }, (_, index) => ({
    tenant: "fake",
    labels: `{a="${index}"}`,
    chunks: [chunkAt(BigInt(logFrom))],
  }));
  const key = `p${partition}-${logFrom}-${logTo}`;
  return {
    key,
    partition,
    logFrom,
    logTo,
    bytes: 12_345,
    createdAt: 1_700_000_000_123_456_789n,
    streams,
  };
}

function withoutStreams({ streams: _, ...rest }: SegmentRecord): Omit<SegmentRecord, "streams"> {
  return rest;
}

function ordered(chunks: ReadonlyArray<ChunkRef>): ReadonlyArray<ChunkRef> {
  const key = (chunk: ChunkRef) => [chunk.segmentKey, chunk.labels, chunk.offset].join("\n");
  return [...chunks].sort((a, b) => key(a) < key(b) ? -1 : 1);
}

function describe({ tenant, matchers, range }: IndexQuery): string {
  const text = matchers.map(({ name, op, value }) => `${name}${op}${JSON.stringify(value)}`);
  return `${tenant} {${text.join(", ")}} [${range.start}, ${range.end})`;
}
