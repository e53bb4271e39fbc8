/** What every Index must do, as tests over a way to open one. Random questions are compared with memoryIndex, which tries every
 *  chunk (src/testing/memoryStorage.ts). */
import { Effect, type Layer } from "effect";
import fc from "fast-check";
import t, { type Test } from "tap";
import { formatLabels, labelsFromObject } from "../streams/labels.ts";
import { makeMatcher } from "../streams/matcher.ts";
import { type SegmentRecord, segmentSummary, type StreamRecord } from "../streams/record.ts";
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
        [segment(0, 1, 10), segment(0, 10, 25), segment(7, 1, 3)].map(segmentSummary),
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
      t.same(yield* from([[0, 1], [1, 1]]), []);
    });
  });

  test("a replacement puts one segment in the place of neighbours", async (t, fixture) => {
    const merged = { ...segment(0, 10, 30), streams: segment(0, 1, 2, 3).streams };
    await within(fixture, function* (index) {
      for (const from of [1, 10, 20, 30]) {
        yield* index.commit(segment(0, from, from + 10 - +(from === 1)));
      }
      yield* index.commit(segment(1, 1, 5));
      yield* index.replace(["p0-10-20", "p0-20-30"], merged);
      yield* index.replace(["p0-10-20", "p0-20-30"], merged);
      t.equal(yield* index.checkpoint(0), 40);
    });
    await within(fixture, function* (index) {
      const kept = [segment(0, 1, 10), merged, segment(0, 30, 40), segment(1, 1, 5)];
      t.same(yield* index.segments(), kept.map(segmentSummary));
      t.equal((yield* index.findChunks(everything)).length, 6);
      t.same(yield* index.labelValues(everything, "a"), ["0", "1", "2"]);
      yield* index.commit(segment(0, 40, 41));
      yield* index.replace(["p0-30-40"], { ...segment(0, 30, 40), key: "again" });
      t.equal((yield* index.segments()).length, 5);
    });
  });

  test(
    "a replacement of what is not there, or has other offsets, is refused and changes nothing",
    async (t, fixture) => {
      await within(fixture, function* (index) {
        const all = [segment(0, 1, 10), segment(0, 10, 20), segment(0, 20, 30), segment(1, 1, 30)];
        for (const one of all) yield* index.commit(one);
        const [first, second, third, other] = all.map(({ key }) => key) as [
          string,
          string,
          string,
          string,
        ];
        for (
          const [keys, from, to] of [
            [[first, "gone"], 1, 20],
            [[first, third], 1, 30],
            [[second, first], 1, 20],
            [[first, second], 1, 30],
            [[first, second], 1, 15],
            [[second, third], 1, 30],
            [[other], 1, 31],
            [[other], 1, 30],
            [[], 1, 10],
          ] as const
        ) {
          const record = { ...segment(0, from, to), key: "merged" };
          const error: IndexError = yield* Effect.flip(index.replace(keys, record));
          t.equal(error.reason, "Conflict", keys.join());
        }
        const taken = yield* Effect.flip(
          index.replace([first, second], { ...segment(0, 1, 20), key: third }),
        );
        t.equal(taken.reason, "Conflict", "the key is another segment's");
        t.same(yield* index.segments(), all.map(segmentSummary));
        const merges = [2, 3].map((count) =>
          index.replace(
            all.slice(0, count).map(({ key }) => key),
            { ...segment(0, 1, count * 10), key: `merged-${count}` },
          )
        );
        const exits = yield* Effect.all(merges.map(Effect.exit), { concurrency: "unbounded" });
        t.equal(exits.filter(({ _tag }) => _tag === "Success").length, 1, "one of two wins");
      });
    },
  );

  test("streams go with their last segment, and their labels with them", async (t, fixture) => {
    const of = (from: number, ...texts: ReadonlyArray<string>) => ({
      ...segment(0, from, from + 1),
      streams: texts.map((labels) => ({ tenant: "fake", labels, chunks: [chunkAt(5n)] })),
    });
    await within(fixture, function* (index) {
      yield* index.commit(of(1, '{a="x", b="1"}', '{a="y"}'));
      yield* index.commit(of(2, '{a="y"}', '{a="z", c="1"}'));
      yield* index.replace(["p0-1-2"], { ...of(1), key: "empty" });
      t.same(yield* index.labelNames(everything), ["a", "c"]);
      t.same(yield* index.labelValues(everything, "a"), ["y", "z"]);
      t.same(yield* index.findStreams(everything), ['{a="y"}', '{a="z", c="1"}']);
      yield* index.replace(["empty", "p0-2-3"], { ...of(1), logTo: 3, key: "nothing" });
      t.same(yield* index.labelNames(everything), []);
      t.same(yield* index.stats(everything), { streams: 0, chunks: 0, bytes: 0, entries: 0 });
      yield* index.commit(of(3, '{a="x", b="1"}'));
      t.same(yield* index.labelValues(everything, "b"), ["1"], "and come back with a new one");
      t.equal(
        (yield* index.findChunks({ ...everything, matchers: [makeMatcher("b", "=", "1")] })).length,
        1,
      );
    });
  });

  test("a question that covers part of a merged segment is stale", async (t, fixture) => {
    await within(fixture, function* (index) {
      yield* index.commit(segment(0, 1, 10));
      yield* index.commit(segment(0, 10, 20));
      yield* index.replace(["p0-1-10", "p0-10-20"], { ...segment(0, 1, 20), key: "merged" });
      const query = { ...everything, coveredTo: new Map([[0, 10]]) };
      for (
        const ask of [
          index.findChunks(query),
          index.findStreams(query),
          index.labelNames(query),
          index.labelValues(query, "a"),
          index.stats(query),
        ]
      ) {
        const error: IndexError = yield* Effect.flip(ask as Effect.Effect<unknown, IndexError>);
        t.equal(error.reason, "Stale");
      }
      for (const [covered, count] of [[1, 0], [20, 1]] as const) {
        const all = yield* index.findChunks({ ...query, coveredTo: new Map([[0, covered]]) });
        t.equal(all.length, count);
      }
      const elsewhere = { ...query, range: { start: 100n, end: 200n } };
      t.equal((yield* index.findChunks(elsewhere)).length, 0, "it has no rows of that time");
    });
  });

  test("what is discarded cannot be committed any more", async (t, fixture) => {
    await within(fixture, function* (index) {
      yield* index.commit(segment(0, 1, 10));
      yield* index.commit(segment(0, 10, 20));
      t.equal(yield* index.discard("p0-1-10"), false, "it is there");
      const merged = { ...segment(0, 1, 20), key: "merged" };
      t.equal(yield* index.discard("orphan"), true);
      t.equal(yield* index.discard("orphan"), true);
      yield* index.replace(["p0-1-10", "p0-10-20"], merged);
      t.equal(yield* index.discard("p0-1-10"), true, "it was replaced");
      t.equal(yield* index.discard("merged"), false);
      t.equal((yield* index.segments()).length, 1);
    });
  });

  test("restore replaces what lies within, and ignores what is within", async (t, fixture) => {
    await within(fixture, function* (index) {
      yield* index.restore(segment(0, 10, 20));
      yield* index.restore(segment(0, 20, 30));
      yield* index.restore(segment(0, 1, 30));
      yield* index.restore(segment(0, 10, 20));
      yield* index.restore({ ...segment(0, 1, 30), key: "newer" });
      yield* index.restore(segment(0, 30, 40));
      t.same((yield* index.segments()).map(({ key }) => key), ["newer", "p0-30-40"]);
      t.equal(yield* index.checkpoint(0), 40);
    });
  });

  test(
    "random questions get the answers of the index that tries every chunk",
    async (t, fixture) => {
      const model = memoryIndex();
      let checked = 0;
      await within(fixture, function* (index) {
        const truth = yield* Effect.provide(Index, model);
        const kept = new Map<number, SegmentRecord[]>();
        const both = function* (change: (index: Service) => Effect.Effect<void, IndexError>) {
          yield* change(index);
          yield* change(truth);
        };
        const commit = (partition: number, streams: ReadonlyArray<StreamRecord>) =>
          Effect.gen(function* () {
            const all = kept.get(partition) ?? [];
            kept.set(partition, all);
            const from = all.at(-1)?.logTo ?? 1;
            const record = { ...segment(partition, from, from + 3), streams };
            all.push(record);
            yield* both((one) => one.commit(record));
          });
        /** Puts a segment with some of their streams in the place of neighbours. */
        const replace = (partition: number, at: number, count: number, keep: number) =>
          Effect.gen(function* () {
            const all = kept.get(partition) ?? [];
            const old = all.slice(at, at + count);
            if (old.length === 0) return;
            const merged = mergedOf(old, keep, replacements++);
            all.splice(at, old.length, merged);
            const keys = old.map(({ key }) => key);
            yield* both((one) => one.replace(keys, merged));
          });
        let replacements = 0;
        const property = fc.asyncProperty(
          partitions,
          segmentStreams,
          queries,
          fc.option(fc.tuple(fc.nat(8), fc.integer({ min: 1, max: 4 }), fc.nat(3))),
          async (partition, streams, list, replacement) => {
            await Effect.runPromise(Effect.gen(function* () {
              yield* commit(partition, streams);
              if (replacement !== null) yield* replace(partition, ...replacement);
              for (const query of list) {
                const what = describe(query);
                t.same(yield* answers(index, query), yield* answers(truth, query), what);
                const { coveredTo: _, ...rest } = query;
                const stats = yield* truth.stats({ ...rest, coveredTo: new Map() });
                checked += stats.chunks > 0 ? 1 : 0;
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
  ...["", "x", "y", "xy", "yyy", 'q"\\', "é\u{1f600}", "a\u0000b", "line\nbreak", "200"],
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

/** One segment with the offsets of all; every `keep`-th stream is left out, none if it is 0. */
function mergedOf(old: ReadonlyArray<SegmentRecord>, keep: number, count: number): SegmentRecord {
  const streams = new Map<string, StreamRecord>();
  let offset = 48;
  for (const stream of old.flatMap((one) => one.streams)) {
    const key = JSON.stringify([stream.tenant, stream.labels]);
    const chunks = stream.chunks.map((chunk) => ({ ...chunk, offset: offset++ }));
    const known = streams.get(key)?.chunks ?? [];
    streams.set(key, { ...stream, chunks: [...known, ...chunks] });
  }
  return {
    ...old[0]!,
    key: `merged-${count}`,
    logTo: old.at(-1)!.logTo,
    streams: [...streams.values()].filter((_, index) => keep === 0 || index % keep !== 0),
  };
}

/** Everything that can be asked, or why it cannot be answered. */
function answers(index: Service, query: IndexQuery) {
  return Effect.gen(function* () {
    return [
      ordered(yield* index.findChunks(query)),
      yield* index.findStreams(query),
      yield* index.labelNames(query),
      yield* index.labelValues(query, "a"),
      yield* index.stats(query),
    ];
  }).pipe(Effect.catch(({ reason }) => Effect.succeed([reason])));
}

function ordered(chunks: ReadonlyArray<ChunkRef>): ReadonlyArray<ChunkRef> {
  const key = (chunk: ChunkRef) => [chunk.segmentKey, chunk.labels, chunk.offset].join("\n");
  return [...chunks].sort((a, b) => key(a) < key(b) ? -1 : 1);
}

function describe({ tenant, matchers, range }: IndexQuery): string {
  const text = matchers.map(({ name, op, value }) => `${name}${op}${JSON.stringify(value)}`);
  return `${tenant} {${text.join(", ")}} [${range.start}, ${range.end})`;
}
