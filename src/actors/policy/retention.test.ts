/** Which period a stream has, from a configuration as a file has it; what is wrong with one; expiry by age and size. */
import { Result } from "effect";
import t from "tap";
import { resolveSettings } from "../../platform/config/load.ts";
import { printSettings, type Settings, SettingsInvalid } from "../../platform/config/mod.ts";
import { expiredRun, sizeCutoff, verdictOf } from "./expiry.ts";
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
    bytes: 1,
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
  t.end();
});

t.test("a size limit is the time of the newest piece that must go", (t) => {
  const pieces = [40n, 10n, 30n, 20n].map((maxTime) => ({ bytes: 100, maxTime }));
  t.equal(sizeCutoff(pieces, 0), timeMin, "no limit");
  t.equal(sizeCutoff(pieces, 400), timeMin);
  t.equal(sizeCutoff(pieces, 399), 11n);
  t.equal(sizeCutoff(pieces, 200), 31n, "to 95 %");
  t.equal(sizeCutoff(pieces, 1), 41n);
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
