/** What JetStream tells of twice, late, in another order or not at all reaches tails once and in order. Tails across a real
 *  cluster are tested in test/e2e/cluster.test.ts. */
import fc from "fast-check";
import t from "tap";
import { type FeedRecord, TailFeed } from "./TailFeed.ts";

/** A partition's log, of which a replica may lack the end for some reads. */
class ModelLog {
  readonly records: FeedRecord[] = [];
  first = 1;
  readsThatLag = 0;

  /** Appends a record of this tenant behind `others` of other tenants; what JetStream tells of it. */
  append(others: number): readonly [FeedRecord, previous: number] {
    const previous = this.records.at(-1)?.offset ?? 0;
    const record = { offset: this.#end += others + 1, bytes: new Uint8Array(0) };
    this.records.push(record);
    return [record, previous];
  }

  readonly read = async (_partition: number, offset: number) => {
    await Promise.resolve();
    if (this.readsThatLag-- > 0) return [];
    return this.records.filter((record) => record.offset >= offset && record.offset >= this.first)
      .slice(0, 3);
  };

  #end = 0;
}

function feedOf(log: ModelLog, giveUpMs = 10_000) {
  const got: number[] = [];
  let lostCount = 0;
  const feed = new TailFeed({
    read: log.read,
    publish: (_partition, { offset }) => got.push(offset),
    lost: () => lostCount++,
    giveUpMs,
  });
  return { feed, got, lostCount: () => lostCount };
}

async function settled(until: () => boolean): Promise<void> {
  while (!until()) await new Promise((resolve) => setTimeout(resolve, 1));
}

t.test("each record is published once and in order, whatever is told", async (t) => {
  const told = fc.record({
    others: fc.nat({ max: 3 }),
    /** Told how many times, and after how many later records. */
    times: fc.constantFrom(0, 1, 1, 1, 2),
    lateBy: fc.constantFrom(0, 0, 0, 1, 2),
    lag: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1),
    pause: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(told, { maxLength: 30 }), async (steps) => {
      const log = new ModelLog();
      const { feed, got, lostCount } = feedOf(log);
      feed.begin(0, 1);
      const due = new Map<number, Array<readonly [FeedRecord, number]>>();
      for (const [at, { others, times, lateBy, lag, pause }] of steps.entries()) {
        const message = log.append(others);
        const when = due.get(at + lateBy) ?? [];
        due.set(at + lateBy, when);
        for (let time = 0; time < times; time++) when.push(message);
        log.readsThatLag = lag;
        for (const [record, previous] of due.get(at) ?? []) feed.take(0, record, previous);
        if (pause) await new Promise((resolve) => setImmediate(resolve));
      }
      const offsets = log.records.map(({ offset }) => offset);
      while (got.length < offsets.length) {
        await feed.poll();
        await new Promise((resolve) => setImmediate(resolve));
      }
      t.same(got, offsets);
      t.equal(lostCount(), 0);
      feed.close();
    }),
    { numRuns: 100 },
  );
});

t.test("what was stored before the tails' beginning is not asked for", async (t) => {
  const log = new ModelLog();
  const { feed, got } = feedOf(log);
  log.append(0);
  const [, second] = [log.append(0), log.append(0)];
  feed.begin(0, 3);
  feed.take(0, ...second);
  const other = log.append(5);
  feed.take(1, ...other);
  t.same(got, [3, 9], "and a partition that is new begins with what is told of it");
  feed.close();
});

t.test("of a partition that comes into being later every record is wanted", async (t) => {
  const log = new ModelLog();
  const { feed, got } = feedOf(log);
  feed.found([0]);
  feed.begin(0, 1);
  // Nobody told of the first.
  log.append(0);
  feed.take(1, ...log.append(0));
  await settled(() => got.length === 2);
  t.same(got, [1, 2], "when the second one is told of");
  feed.close();
  const other = feedOf(log);
  other.feed.found([0]);
  other.feed.found([0, 1]);
  other.feed.begin(0, 3);
  await other.feed.poll();
  await other.feed.poll();
  t.same(other.got, [1, 2], "when none is");
  other.feed.close();
});

t.test("what has left the log unread is reported, and the tails go on", async (t) => {
  const log = new ModelLog();
  const { feed, got, lostCount } = feedOf(log);
  feed.take(0, ...log.append(0));
  log.append(0);
  const third = log.append(0);
  log.first = 3;
  feed.take(0, ...third);
  await settled(() => got.length === 2);
  t.same([got, lostCount()], [[1, 3], 1]);
  feed.take(0, ...log.append(0));
  t.same([got, lostCount()], [[1, 3, 4], 1]);
  feed.close();
});

t.test("what cannot be read for long is reported", async (t) => {
  const log = new ModelLog();
  const { feed, got, lostCount } = feedOf(log, 20);
  feed.take(0, ...log.append(0));
  log.append(0);
  log.readsThatLag = Infinity;
  feed.take(0, ...log.append(0));
  await settled(() => lostCount() > 0);
  feed.take(0, ...log.append(0));
  t.same([got, lostCount()], [[1, 4], 1]);
  feed.close();
});
