/** Random queries over what randomRows.ts makes, as text: log queries and metric queries, of every stage, aggregation and
 *  operator. Left out is only what may be answered in several ways: how a parser treats names that were dropped before it. */
import type { Random } from "../random.ts";
import type { Case } from "./caseFile.ts";
import { randomTemplate } from "./randomTemplates.ts";

/** A query of any kind with its options. */
export function randomCase(random: Random): Case {
  const kind = random.pick(["logs", "logs", "instant", "range"] as const);
  const base = { kind, expected: ["(reference)"], place: "random" };
  if (kind === "logs") return { ...base, options: logOptions(random), query: logQuery(random) };
  const query = metric(random, 2);
  if (kind === "instant") {
    return {
      ...base,
      options: { at: random.pick(["0", "30", "59", "60", "60", "60", "75"]) },
      query,
    };
  }
  const step = random.pick(["5s", "10s", "20s", "30s"]);
  return {
    ...base,
    options: { start: random.pick(["0", "20"]), end: random.pick(["40", "60", "90"]), step },
    query,
  };
}

function logOptions(random: Random): Record<string, string> {
  return {
    ...(random.oneIn(2) ? { forward: "true" } : {}),
    ...(random.oneIn(3) ? { limit: String(random.between(1, 10)) } : {}),
    ...(random.oneIn(4) ? { categorize: "true" } : {}),
    ...(random.oneIn(6) ? { interval: random.pick(["1s", "500ms", "10s"]) } : {}),
    ...(random.oneIn(4)
      ? { start: random.pick(["10", "30"]), end: random.pick(["31", "50"]) }
      : {}),
  };
}

function logQuery(random: Random): string {
  return `${selector(random)}${pipeline(random)}`;
}

function selector(random: Random): string {
  return random.pick([
    `{app="x"}`,
    `{app=~".+"}`,
    `{app=~".+"}`,
    `{app=~".+"}`,
    `{app=~"x|y"}`,
    `{app=~"x|z", env!="prod"}`,
    `{app=~".+", env="prod"}`,
    `{app=~".+", env=~"d.*"}`,
    `{env=~".+", app!~"x|q"}`,
    `{app=~"[xy]", n=""}`,
    `{app=~".+"}`,
    `{app=~"x|y|z"}`,
    random.oneIn(5) ? `{app="nothing"}` : `{app!=""}`,
  ]);
}

// ---- pipelines ----

function pipeline(random: Random): string {
  const first = random.oneIn(4) ? "" : ` | ${parser(random)}`;
  const early = Array.from({ length: random.pick([0, 0, 1, 2]) }, () => earlyStage(random)).join(
    "",
  );
  const late = Array.from({ length: random.pick([0, 0, 1, 1, 2]) }, () => lateStage(random)).join(
    "",
  );
  return random.oneIn(3) ? early + first + late : first + early + late;
}

/** Stages that may stand before a parser. */
function earlyStage(random: Random): string {
  switch (random.below(8)) {
    case 0:
    case 1:
      return ` ${lineFilter(random, ["|", "!"])}`;
    case 2:
      return ` | ${predicate(random, 2)}`;
    case 3:
      return ` | ${
        random.pick([
          'line_format "{{.a}} b={{.b}}"',
          "line_format `{{.app}}/{{.level}}`",
          `line_format ${templateText(random)}`,
          `line_format ${templateText(random)}`,
          "decolorize",
        ])
      }`;
    default:
      return ` | ${parser(random)}`;
  }
}

function lateStage(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return ` | drop ${
        random.pick([
          "a",
          "a, b",
          "env",
          'level="info"',
          'a=~"1|2.*"',
          'b!=""',
          "trace, env",
          errors,
        ])
      }`;
    case 1:
      return ` | keep ${
        random.pick(["app", "app, a", 'a="1", env', 'level=~"i.*|err.*"', "trace, b", 'a!=""'])
      }`;
    case 2:
      return ` | label_format ${
        random.pick([
          "c=a",
          "env=app",
          'c="{{.a}}-{{.b}}"',
          'a="set"',
          'level="{{.level}}!", d="{{.a}}"',
          "trace=b",
          'app=""',
          `a=${templateText(random)}`,
          `c=${templateText(random)}, level=${templateText(random)}`,
        ])
      }`;
    case 3:
      // After drop and keep, != would read as part of them.
      return ` ${lineFilter(random, ["|"])}`;
    default:
      return ` | ${predicate(random, 2)}`;
  }
}

/** In backquotes now and then, else in quotes. */
function templateText(random: Random): string {
  const template = randomTemplate(random);
  return random.oneIn(2) ? `\`${template}\`` : JSON.stringify(template);
}

const errors = "__error__, __error_details__";

function parser(random: Random): string {
  return random.pick([
    "json",
    "json",
    "json",
    "logfmt",
    "logfmt",
    "logfmt --strict",
    "logfmt --keep-empty",
    "logfmt --strict --keep-empty",
    'logfmt a, lvl="level"',
    "unpack",
    'json a, lvl="level"',
    'json a="a_b", d="d.a", e="[\\"x-y\\"]"',
    'pattern "<method> <path> <status>"',
    'pattern "[<ts>] [<level>] <_>"',
    'pattern "a=<a> <_>"',
    'regexp "(?P<method>[A-Z]+) (?P<path>\\\\S+)(?: (?P<status>\\\\d+))?"',
    "regexp `(?P<a>\\d+)`",
    "regexp `level=(?P<level>\\w+)`",
  ]);
}

function lineFilter(random: Random, signs: ReadonlyArray<"|" | "!">): string {
  const texts = [
    '"a"',
    '"="',
    '"level"',
    '"10.0"',
    '"{"',
    '""',
    '"é"',
    '`"a":`',
    '"error"',
    '"GET"',
    '"\\n"',
    '"bytes"',
  ];
  const regexes = [
    '"a=[0-9]"',
    '"(?i)error"',
    '"^[{]"',
    '"\\\\d+ms"',
    '"x|y"',
    '""',
    '".a."',
    '"^.*$"',
    "`\\bb\\b`",
    '"[^ -~]"',
    '"[0-9]"',
    '"a|e|i"',
  ];
  const patterns = ['"<_>=<_>"', '"{<_>}"', '"GET <_>"', '"<_>a<_>"', '"<_>"', '"<_> <_> <_>"'];
  const addresses = ['ip("10.0.0.1")', 'ip("10.0.0.0/8")', 'ip("192.168.4.0-192.168.4.9")'];
  const [kind, operands] = random.pick(
    [
      ["=", texts],
      ["=", texts],
      ["~", regexes],
      ["~", regexes],
      [">", patterns],
      ["=", addresses],
      ["=", [...addresses, '"GET"', '"error"']],
    ] as const,
  );
  const count = random.oneIn(3) ? 2 : 1;
  const list = Array.from({ length: count }, () => random.pick(operands)).join(" or ");
  return `${random.pick(signs)}${kind} ${list}`;
}

function predicate(random: Random, depth: number): string {
  if (depth > 0 && random.oneIn(3)) {
    const inner = () => predicate(random, depth - 1);
    return random.pick([
      `(${inner()} or ${inner()})`,
      `(${inner()} and ${inner()})`,
      `${inner()} or ${inner()}`,
      `${inner()}, ${inner()}`,
      `${inner()} and ${inner()}`,
    ]);
  }
  const name = random.pick([
    "a",
    "b",
    "n",
    "d",
    "s",
    "level",
    "app",
    "trace",
    "a_b",
    "status",
    "app_extracted",
    "_1st",
    "nothing",
  ]);
  const compare = () => random.pick(["=", "==", "!=", ">", ">=", "<", "<="]);
  switch (random.below(7)) {
    case 0:
      return `${name} ${compare()} ${random.pick(["1", "2.5", "-3", "100", "0"])}`;
    case 1:
      return `${name} ${compare()} ${random.pick(["5s", "1m", "250ms", "0s"])}`;
    case 2:
      return `${name} ${compare()} ${random.pick(["1KB", "1KiB", "5B", "2KB"])}`;
    case 3:
      return `${random.pick(["ip", "a"])} ${random.pick(["=", "=", "!="])} ip("${
        random.pick(["10.0.0.1", "10.0.0.0/8", "10.1.0.0-10.1.0.9"])
      }")`;
    case 4:
      return random.pick(['__error__=""', '__error__!=""', '__error__=~"JSON.*|Logfmt.*"']);
    case 5:
      return `${name}${random.pick(["=~", "!~"])}"${
        random.pick(["", ".+", ".*", "[0-9]+", "[a-z].*", "x|y", "t1|5s"])
      }"`;
    default:
      return `${name}${random.pick(["=", "!="])}"${
        random.pick(["", "1", "abc", "x", "info", "t1", "GET"])
      }"`;
  }
}

// ---- metric queries ----

function metric(random: Random, depth: number): string {
  const kind = depth === 0 ? 9 : random.below(10);
  if (kind < 4) return aggregation(random, depth);
  if (kind < 6) return operators(random, depth);
  if (kind < 7) {
    const rule = random.pick([
      '"c", "$1", "app", "(.)"',
      '"env", "", "app", ".*"',
      '"c", "v", "env", "prod"',
      '"c", "<${1}>", "app", "(x|y)"',
    ]);
    return `label_replace(${aggregation(random, 0)}, ${rule})`;
  }
  if (kind < 8 && random.oneIn(2)) return variants(random);
  if (kind < 8) return `vector(${random.pick(["0", "1.5", "-2"])})`;
  return rangeAggregation(random);
}

/** Several metrics of one range. */
function variants(random: Random): string {
  const range = `${selector(random)}${metricPipeline(random)} [${random.pick(["10s", "1m"])}]`;
  const metrics = Array.from({ length: random.between(1, 3) }, () => {
    const op = random.pick(["count_over_time", "bytes_over_time", "rate", "bytes_rate"]);
    return random.pick([
      `${op}(${range})`,
      `sum by (app) (${op}(${range}))`,
      `topk(1, sum by (app) (${op}(${range})))`,
    ]);
  });
  return `variants(${metrics.join(", ")}) of (${range})`;
}

function aggregation(random: Random, depth: number): string {
  const inner = depth <= 1 ? rangeAggregation(random) : metric(random, depth - 1);
  const op = random.pick([
    "sum",
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "approx_topk",
    "sort",
    "sort_desc",
  ]);
  if (op.startsWith("sort")) return `${op}(${inner})`;
  if (op === "approx_topk") return `approx_topk(${random.pick(["1", "2", "5"])}, ${inner})`;
  const grouping = random.pick([
    "",
    "",
    "by (app)",
    "by (env)",
    "by (app, level)",
    "by ()",
    "by (__error__)",
    "without (env)",
    "without (a, b, level)",
  ]);
  const parameter = op.endsWith("k") ? `${random.pick(["1", "2", "3", "100"])}, ` : "";
  return random.oneIn(2)
    ? `${op} ${grouping} (${parameter}${inner})`
    : `${op}(${parameter}${inner}) ${grouping}`;
}

function operators(random: Random, depth: number): string {
  const left = aggregation(random, depth - 1);
  const arithmetic = ["+", "-", "*", "/", "%", "^"];
  const comparisons = ["==", "!=", ">", ">=", "<", "<=", "> bool", "== bool", "<= bool"];
  const right = random.oneIn(2) ? aggregation(random, depth - 1) : metric(random, depth - 1);
  const matching = random.pick(["", "", "on (app)", "ignoring (env, level)", "on ()"]);
  switch (random.below(4)) {
    case 0:
      return `${left} ${random.pick([...arithmetic, ...comparisons])} ${
        random.pick(["0", "1", "2", "0.5"])
      }`;
    case 1:
      return `${random.pick(["0", "1", "2", "0.5"])} ${
        random.pick([...arithmetic, ...comparisons])
      } ${left}`;
    case 2:
      return `${left} ${random.pick(["and", "or", "unless"])} ${matching} ${right}`;
    default: {
      const group = matching === "" ? "" : random.pick([
        "",
        "group_left",
        "group_right",
        "group_left (env)",
        "group_right (env, level)",
      ]);
      return `${left} ${
        random.pick([...arithmetic, ...comparisons])
      } ${matching} ${group} (${right})`;
    }
  }
}

function rangeAggregation(random: Random): string {
  const window = `[${random.pick(["5s", "10s", "20s", "30s", "1m", "1m", "2m"])}]`;
  const offset = random.oneIn(5) ? ` offset ${random.pick(["10s", "30s", "-10s", "500ms"])}` : "";
  const log = `${selector(random)}${metricPipeline(random)}`;
  if (random.oneIn(2)) {
    const op = random.pick([
      "count_over_time",
      "rate",
      "bytes_over_time",
      "bytes_rate",
      "count_over_time",
      "absent_over_time",
    ]);
    return `${op}(${log} ${window}${offset})`;
  }
  const [op, isGrouped] = random.pick(
    [
      ["sum_over_time", false],
      ["rate", false],
      ["rate_counter", false],
      ["avg_over_time", true],
      ["min_over_time", true],
      ["max_over_time", true],
      ["stdvar_over_time", true],
      ["stddev_over_time", true],
      ["first_over_time", true],
      ["last_over_time", true],
      ["quantile_over_time", true],
    ] as const,
  );
  const unwrap = random.pick([
    "a",
    "n",
    "b",
    "duration(d)",
    "duration_seconds(a)",
    "bytes(s)",
    "bytes(b)",
    "status",
  ]);
  const before = random.oneIn(6) ? ` | ${predicate(random, 0)}` : "";
  const after = random.oneIn(10) ? ` | ${predicate(random, 0)}` : "";
  const filter = random.oneIn(8) ? before : `${before} | __error__=""${after}`;
  const parameter = op === "quantile_over_time"
    ? `${random.pick(["0", "0.25", "0.5", "0.9", "0.99", "1", "2", "-1"])}, `
    : "";
  const grouping = isGrouped && random.oneIn(2)
    ? random.pick([" by (app)", " by (app, level)", " by ()", " without (env)"])
    : "";
  const parse = random.pick([" | json", " | logfmt", ""]);
  return `${op}(${parameter}${log}${parse} | unwrap ${unwrap}${filter} ${window}${offset})${grouping}`;
}

/** Most queries say what to do with errors; the others fail if there are any. */
function metricPipeline(random: Random): string {
  const stages = pipeline(random);
  return random.oneIn(8) ? stages : `${stages} | __error__=""`;
}
