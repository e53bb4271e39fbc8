/** limits_config for entries, on a clock that the test moves. */
import t from "tap";
import { CollectorMetrics } from "./collectorMetrics.ts";
import { EntryLimits } from "./EntryLimits.ts";
import { StageEntry } from "./stages/entry.ts";
import { LabelSet } from "./stages/labelSet.ts";

const unlimited = {
  readline_rate_enabled: false,
  readline_rate: 10_000,
  readline_burst: 10_000,
  readline_rate_drop: true,
  max_streams: 0,
  max_line_size: 0,
  max_line_size_truncate: false,
};

function limits(config: Partial<typeof unlimited>) {
  const metrics = new CollectorMetrics();
  const clock = { ms: 1_000_000 };
  const limits = new EntryLimits({ ...unlimited, ...config }, metrics, () => clock.ms);
  const entry = new StageEntry();
  return {
    clock,
    limits,
    /** What becomes of a line; undefined if it is dropped. */
    pass(line: string, app = "a", tenant = ""): string | undefined {
      const bytes = new TextEncoder().encode(`<${line}>`);
      const labels = LabelSet.of({ app, __tenant_id__: tenant });
      entry.reset(labels, bytes, 1, bytes.length - 1, 0, 0);
      return limits.admit(entry) ? entry.text : undefined;
    },
    dropped: (reason: string) => metrics.series(metrics.droppedEntries, { reason }).value,
    droppedBytes: (reason: string) => metrics.series(metrics.droppedBytes, { reason }).value,
  };
}

t.test("without limits everything goes on", (t) => {
  const { pass, limits: { waitMs } } = limits({});
  for (let index = 0; index < 20_000; index++) pass("x", `app${index}`);
  t.equal(pass("x"), "x");
  t.equal(waitMs, 0);
  t.end();
});

t.test("readline_rate drops what is too much, after the burst", (t) => {
  const { pass, clock, dropped } = limits({
    readline_rate_enabled: true,
    readline_rate: 10,
    readline_burst: 3,
  });
  t.strictSame(["a", "b", "c", "d"].map((line) => pass(line)), ["a", "b", "c", undefined]);
  clock.ms += 99;
  t.equal(pass("e"), undefined);
  clock.ms += 1;
  t.equal(pass("f"), "f");
  t.equal(dropped("rate_limited"), 2);
  t.end();
});

t.test("readline_rate_drop: false makes sources wait instead", (t) => {
  const { pass, clock, limits: entryLimits, dropped } = limits({
    readline_rate_enabled: true,
    readline_rate: 10,
    readline_burst: 1,
    readline_rate_drop: false,
  });
  t.strictSame(["a", "b", "c"].map((line) => pass(line)), ["a", "b", "c"]);
  t.equal(entryLimits.waitMs, 200);
  clock.ms += 200;
  t.equal(entryLimits.waitMs, 0);
  t.equal(dropped("rate_limited"), 0);
  t.end();
});

t.test("max_streams counts streams that had a line lately, by tenant", (t) => {
  const { pass, clock, limits: entryLimits, dropped } = limits({ max_streams: 2 });
  t.equal(pass("1", "a"), "1");
  t.equal(pass("2", "a", "other"), "2");
  t.equal(pass("3", "b"), undefined);
  t.equal(pass("4", "a"), "4", "those that are active go on");
  clock.ms += 5 * 60_000 - 1;
  t.equal(pass("5", "a"), "5");
  t.equal(pass("6", "b"), undefined);
  clock.ms += 1;
  t.equal(pass("7", "b"), "7", "the other has been idle for five minutes");
  t.equal(entryLimits.streamCount, 2);
  t.equal(dropped("stream_limit"), 2);
  t.end();
});

t.test("max_line_size drops or cuts, not within a character", (t) => {
  const drops = limits({ max_line_size: 4 });
  t.strictSame(["1234", "12345"].map((line) => drops.pass(line)), ["1234", undefined]);
  t.equal(drops.dropped("line_too_long"), 1);
  t.equal(drops.droppedBytes("line_too_long"), 5);
  const cuts = limits({ max_line_size: 4, max_line_size_truncate: true });
  t.strictSame(["12345", "123é", "é€"].map((line) => cuts.pass(line)), ["1234", "123", "é"]);
  t.end();
});
