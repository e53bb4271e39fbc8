/** A checker for the hand-over from memory to segments: while writers push numbered lines and segments are cut
 *  without pause, every answer holds each line acknowledged before the question exactly once, and nothing that was
 *  not sent. */
import type { Test } from "tap";
import { onServer, type Scenario } from "../../src/testing/onServer.ts";
import type { FoundEntry } from "../../src/testing/queryClient.ts";

const writerCount = 3;
const pushesPerWriter = 60;
const linesPerPush = 25;

/** What one writer has sent and what was acknowledged: line numbers below these counts. */
interface Progress {
  sent: number;
  acknowledged: number;
}

for (const partitions of ["1", "3"]) {
  onServer({ "ingester.segment_target_bytes": "64KB", "ingester.partitions": partitions }, {
    [`nothing is seen twice or missed while flushes run, partitions: ${partitions}`]: watch,
  });
}

async function watch(t: Test, scenario: Scenario): Promise<void> {
  const writers = Array.from({ length: writerCount }, () => ({ sent: 0, acknowledged: 0 }));
  let writing = true;
  const whileWriting = async (work: () => Promise<void>) => {
    while (writing) await work();
  };
  let flushCount = 0;
  let questionCount = 0;
  await Promise.all([
    Promise.all(writers.map((progress, writer) => write(scenario, writer, progress)))
      .finally(() => writing = false),
    whileWriting(async () => {
      await scenario.query.flush();
      flushCount++;
    }),
    ...[1, 2].map(() =>
      whileWriting(async () => {
        await checkAll(t, scenario, writers);
        await checkNewest(t, scenario, writers);
        questionCount += 2;
      })
    ),
  ]);
  t.comment(`${flushCount} flushes, ${questionCount} questions`);
  t.ok(flushCount > 2 && questionCount > 4, "flushes and questions ran beside the pushes");
  await checkAll(t, scenario, writers);
  await scenario.query.flush();
  await checkAll(t, scenario, writers);
  for (const { acknowledged } of writers) t.equal(acknowledged, pushesPerWriter * linesPerPush);
}

async function write(
  { push, app, now }: Scenario,
  writer: number,
  progress: Progress,
): Promise<void> {
  for (let number = 0; number < pushesPerWriter; number++) {
    const entries = Array.from({ length: linesPerPush }, (_, row) => ({
      timestamp: timestampOf(now, writer, progress.sent + row),
      line: `writer=${writer} line=${progress.sent + row} ${"padding ".repeat(10)}`,
    }));
    progress.sent += linesPerPush;
    await push.push([{ labels: `{app="${app}", writer="${writer}"}`, entries }]);
    progress.acknowledged += linesPerPush;
  }
}

function timestampOf(now: bigint, writer: number, line: number): bigint {
  return now + BigInt(line) * 1000n + BigInt(writer);
}

async function checkAll(
  t: Test,
  { query, app, now }: Scenario,
  writers: ReadonlyArray<Progress>,
): Promise<void> {
  const acknowledgedBefore = writers.map(({ acknowledged }) => acknowledged);
  const range = { query: `{app="${app}"}`, start: now, end: now + 1_000_000_000n };
  const found = await query.range({ ...range, limit: 50_000 });
  const numbers = numbersByWriter(found);
  for (const [writer, { sent }] of writers.entries()) {
    const seen = numbers[writer] as number[];
    const distinct = new Set(seen);
    const missing = Array.from({ length: acknowledgedBefore[writer] as number }, (_, n) => n)
      .filter((number) => !distinct.has(number));
    if (missing.length > 0 || distinct.size !== seen.length || Math.max(-1, ...seen) >= sent) {
      t.fail(
        `writer ${writer}: ${missing.length} of ${
          acknowledgedBefore[writer]
        } acknowledged lines missing ` +
          `(first ${missing[0]}), ${seen.length - distinct.size} twice, ${sent} sent`,
      );
    }
  }
}

/** The 200 newest: whatever was acknowledged before and is newer than the oldest of them must be among them. */
async function checkNewest(
  t: Test,
  { query, app, now }: Scenario,
  writers: ReadonlyArray<Progress>,
): Promise<void> {
  const acknowledgedBefore = writers.map(({ acknowledged }) => acknowledged);
  const found = await query.range({
    query: `{app="${app}"}`,
    start: now,
    end: now + 1_000_000_000n,
    limit: 200,
  });
  const wanted = Math.min(200, acknowledgedBefore.reduce((sum, count) => sum + count, 0));
  if (found.length < wanted) t.fail(`${found.length} newest lines, wanted ${wanted}`);
  if (found.length < 200) return;
  const oldest = found.reduce((min, { timestamp }) => timestamp < min ? timestamp : min, now * 2n);
  const times = new Set(found.map(({ timestamp }) => timestamp));
  if (times.size !== found.length) t.fail("a line is twice among the newest");
  for (const [writer, count] of acknowledgedBefore.entries()) {
    for (let line = count - 1; line >= 0 && timestampOf(now, writer, line) > oldest; line--) {
      if (!times.has(timestampOf(now, writer, line))) {
        t.fail(`writer ${writer}: line ${line} of ${count} is missing among the newest`);
      }
    }
  }
}

function numbersByWriter(entries: ReadonlyArray<FoundEntry>): number[][] {
  const numbers: number[][] = Array.from({ length: writerCount }, () => []);
  for (const { line } of entries) {
    const [, writer, number] = /^writer=(\d+) line=(\d+) /.exec(line) ?? [];
    numbers[Number(writer)]?.push(Number(number));
  }
  return numbers;
}
