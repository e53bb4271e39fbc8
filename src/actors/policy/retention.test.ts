/** Which period a stream has, from a configuration as a file has it; what is wrong with one; expiry by age and size. */
import { Result } from "effect";
import fc from "fast-check";
import t from "tap";
import { resolveSettings } from "../../platform/config/load.ts";
import { printSettings, type Settings, SettingsInvalid } from "../../platform/config/mod.ts";
import { expiredRun, sizeCut, verdictOf } from "./expiry.ts";
import { Retention, timeMin } from "./retention.ts";

const load = (text: string) => resolveSettings({ file: { name: "tailrace.yaml", text } });

function settingsOf(text: string): Settings {
  return Result.getOrThrowWith(load(text), (error) => error).settings;
}

const file = `
compactor:
  retention_enabled: true
limits_config:
  retention_period: 744h
  retention_stream:
    - selector: '{namespace="dev"}'
      priority: 1
      period: 24h
    - selector: '{level=~"debug|trace"}'
      priority: 2
      period: 1h
overrides:
  "29":
    retention_period: 168h
    retention_stream:
      - selector: '{namespace="prod"}'
        priority: 1
        period: 336h
  "30":
    retention_period: 0s
`;

t.test("the period of a stream is Loki's choice", (t) => {
  const retention = new Retention(settingsOf(file));
  const hours = (tenant: string, labels: string) => retention.periodMs(tenant, labels) / 3_600_000;
  t.equal(hours("fake", '{app="x"}'), 744);
  t.equal(hours("fake", '{namespace="dev"}'), 24);
  t.equal(hours("fake", '{level="debug", namespace="dev"}'), 1, "the higher priority");
  t.equal(hours("29", '{app="x"}'), 168);
  t.equal(hours("29", '{namespace="prod"}'), 336);
  t.equal(hours("29", '{level="debug", namespace="prod"}'), 336, "the tenant's own rules first");
  t.equal(hours("29", '{level="debug"}'), 1, "then those of all");
  t.equal(hours("30", '{app="x"}'), 0, "for ever");
  t.equal(retention.keptFrom("30", '{app="x"}', 5n), timeMin);
  t.equal(retention.keptFrom("fake", '{level="debug"}', 3_600_000_000_005n), 5n);
  t.equal(retention.shortestMs, 3_600_000);
  const off = new Retention(settingsOf(file.replace("true", "false")));
  t.equal(off.periodMs("fake", '{level="debug"}'), 0, "nothing expires while it is off");
  t.equal(off.shortestMs, 0);
  t.end();
});

t.test("rules are printed so that they can be read again, and come from the environment", (t) => {
  const loaded = Result.getOrThrowWith(load(file), (error) => error);
  const again = settingsOf(printSettings(loaded));
  t.same(again, loaded.settings);
  const env = {
    TAILRACE_LIMITS_CONFIG_RETENTION_STREAM: '[{selector: "{a=\\"b\\"}", priority: 3, period: 2d}]',
  };
  const { settings } = Result.getOrThrowWith(resolveSettings({ env }), (error) => error);
  t.same(settings.limits_config.retention_stream, [
    { selector: '{a="b"}', priority: 3, period: 172_800_000 },
  ]);
  t.end();
});

t.test("a rule that is wrong is named", (t) => {
  const problem = (text: string) => {
    const result = load(`limits_config:\n  retention_stream: ${text}\n`);
    return Result.isFailure(result) ? result.failure.message : "";
  };
  t.match(problem("7d"), /tailrace.yaml:2: .*retention_stream: is not a list/);
  t.match(
    problem('[{selector: "{}", period: 5x}]'),
    /rule 1 has the period "5x" is not a duration/,
  );
  t.match(problem("[{period: 5d}]"), /rule 1 has no selector/);
  t.match(problem('[{selector: "{}", period: 5d, prio: 1}]'), /has the key "prio"/);
  t.match(problem('[{selector: "{}", period: 5d, priority: 1.5}]'), /priority 1.5/);
  const settings = settingsOf(
    "compactor: { retention_enabled: true }\nlimits_config:\n  retention_stream: [{selector: 'app=1', period: 1d}]\n",
  );
  t.throws(() => new Retention(settings), SettingsInvalid);
  t.end();
});

t.test("a segment goes when all of it has expired, and is rewritten when a class has", (t) => {
  const day = 86_400_000_000_000n;
  const each = (tenant: string, firstMaxTime: bigint, maxTime: bigint) => ({
    tenant,
    periodMs: 1,
    createdAt: 0n,
    bytes: 1,
    minTime: 0n,
    firstMaxTime,
    maxTime,
  });
  const f = (classes: ReturnType<typeof each>[], keptFrom: bigint, want: string) =>
    t.equal(verdictOf(classes, () => keptFrom), want);
  f([], 5n, "keep");
  f([each("a", 1n, 4n)], 4n, "keep");
  f([each("a", 1n, 4n)], 5n, "drop");
  f([each("a", 1n, 4n), each("b", 3n, 6n)], 5n, "rewrite");
  f([each("a", 1n, day * 3n)], day, "keep");
  f([each("a", 1n, day * 3n)], day + 2n, "rewrite");
  t.equal(verdictOf([each("a", 1n, 9n), each("b", 1n, 9n)], () => 5n, () => true), "rewrite");
  t.end();
});

t.test("a size limit is the time before which rows must go, the oldest first", (t) => {
  const piece = (bytes: number, minTime: bigint, maxTime: bigint, createdAt = 0n) => ({
    bytes,
    minTime,
    maxTime,
    createdAt,
  });
  const instants = [40n, 10n, 30n, 20n].map((time) => piece(100, time, time));
  t.strictSame(sizeCut(instants, 0, 50n), { from: timeMin, splits: false }, "no limit");
  t.strictSame(sizeCut(instants, 400, 50n), { from: timeMin, splits: false });
  t.strictSame(sizeCut(instants, 399, 50n), { from: 11n, splits: false });
  t.strictSame(sizeCut(instants, 200, 50n), { from: 31n, splits: false }, "to 95 %");

  const one = [piece(1000, 0n, 999n)];
  t.strictSame(sizeCut(one, 100, 5000n), { from: 905n, splits: true }, "the newest stay");
  const beside = [piece(1000, 0n, 999n), piece(1000, 0n, 999n)];
  t.strictSame(sizeCut(beside, 1000, 5000n), { from: 525n, splits: true }, "both alike");
  const late = [piece(1000, 0n, 999n), piece(20, 1000n, 1000n), piece(1000, 1001n, 2000n)];
  t.strictSame(sizeCut(late, 1020, 5000n), { from: 1032n, splits: false }, "whole ones are enough");
  t.strictSame(sizeCut(late, 1100, 5000n), { from: 975n, splits: true });

  const future = [piece(1000, 0n, 10n ** 18n, 999n)];
  t.equal(sizeCut(future, 500, 1000n).from, 525n, "rows of the future make nothing older");
  // Written at 100, 200, and so on up to 900, among rows of 950.
  const written = Array.from(
    { length: 9 },
    (_, index) => piece(100, 10n ** 18n, 10n ** 18n + 5n, BigInt(100 * (index + 1))),
  );
  const { from, splits } = sizeCut([...written, piece(100, 950n, 950n)], 500, 1000n);
  t.same(
    [from, splits],
    [601n, false],
    "those that were written first go first, and no rows of now",
  );
  const ahead = [piece(100, 10n ** 18n, 10n ** 18n, 10n ** 17n), piece(1000, 950n, 950n)];
  t.equal(sizeCut(ahead, 200, 1000n).from, 951n, "also if they were written by a wrong clock");
  t.end();
});

t.test("what a size limit leaves is within it, and all that is newer", (t) => {
  const pieceOf = fc.record({
    bytes: fc.integer({ min: 1, max: 1000 }),
    from: fc.integer({ min: 0, max: 1000 }),
    length: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(
    fc.property(
      fc.array(pieceOf, { minLength: 1 }),
      fc.integer({ min: 1, max: 20_000 }),
      (drawn, max) => {
        const pieces = drawn.map(({ bytes, from, length }) => ({
          bytes,
          minTime: BigInt(from),
          maxTime: BigInt(from + length),
          createdAt: 0n,
        }));
        const { from, splits } = sizeCut(pieces, max, 2000n);
        // The same by counting tick for tick.
        const leftFrom = (time: number) =>
          drawn.reduce((sum, { bytes, from, length }) => {
            const ticks = Math.min(length + 1, Math.max(0, from + length + 1 - time));
            return sum + bytes * ticks / (length + 1);
          }, 0);
        const total = leftFrom(0);
        if (total <= max) return from === timeMin && !splits;
        let time = 0;
        while (leftFrom(time) > max * 0.95 + 1e-9) time++;
        const whole = drawn.filter((one) => one.from + one.length >= time)
          .reduce((sum, { bytes }) => sum + bytes, 0);
        return Math.abs(Number(from) - time) <= 1 &&
          (splits === whole > max || Number(from) !== time);
      },
    ),
  );
  t.end();
});

t.test("expired neighbours go together with empty ones beside them", (t) => {
  const f = (text: string, want: string, limits = { countMax: 4, streamCountMax: 10 }) => {
    const segments = [...text].map((kind, at) => ({
      key: `${kind}${at}`,
      partition: 0,
      logFrom: at,
      logTo: at + 1,
      bytes: 1,
      createdAt: 0n,
      streamCount: 1,
      minTime: kind === "e" ? 1n : 0n,
      maxTime: 0n,
    }));
    const run = expiredRun(segments, ({ key }) => key.startsWith("x"), limits) ?? [];
    t.equal(run.map(({ key }) => key).join(" "), want, text);
  };
  f("", "");
  f("kkk", "");
  f("ekek", "");
  f("exxk", "e0 x1 x2");
  f("kxex", "x1 e2 x3");
  f("ekxk", "x2");
  f("xxxxxx", "x0 x1 x2 x3");
  f("eeeex", "x4");
  f("xxx", "x0 x1", { countMax: 4, streamCountMax: 2 });
  f("kxkxx", "x1", { countMax: 4, streamCountMax: 0 });
  t.end();
});
