/** Random log lines that provoke: every kind of line, broken in all ways, names that collide, values that do not parse, equal
 *  timestamps, repetitions, late lines. Invariant: two streams never have a line at the same time, since which comes first is
 *  then nobody's business. */
import { bytesOf, type LogRow } from "../reference/row.ts";
import type { Random } from "../random.ts";
import { epochNs } from "./caseFile.ts";

/** Up to six streams and forty lines within 60 s. */
export function randomRows(random: Random): LogRow[] {
  const streams = Array.from({ length: random.between(1, 6) }, () => randomLabels(random));
  const rows: LogRow[] = [];
  const count = random.oneIn(20) ? 0 : random.between(5, 50);
  for (let index = 0; index < count; index++) {
    const repeated = rows.length > 0 && random.oneIn(12) ? random.pick(rows) : null;
    const stream = random.below(streams.length);
    rows.push(
      repeated ?? {
        labels: streams[stream]!,
        timestampNs: randomTime(random) + BigInt(stream),
        line: randomLine(random),
        metadata: random.oneIn(3) ? randomMetadata(random) : {},
      },
    );
  }
  return rows;
}

/** Names and values are few, so that filters and joins hit. */
function randomLabels(random: Random): Record<string, string> {
  return {
    app: random.pick(["x", "y", "z"]),
    ...(random.oneIn(2) ? { env: random.pick(["prod", "dev"]) } : {}),
    ...(random.oneIn(4) ? { n: random.pick(["1", "2.5", "none"]) } : {}),
  };
}

function randomMetadata(random: Random): Record<string, string> {
  return {
    trace: random.pick(["t1", "t2"]),
    ...(random.oneIn(6) ? { env: "meta" } : {}),
    ...(random.oneIn(3) ? { b: random.pick(["5", "7", "5s", "2KB"]) } : {}),
  };
}

/** Whole seconds come often, so that windows and steps end on lines. */
function randomTime(random: Random): bigint {
  const seconds = BigInt(random.below(60)) * 1_000_000_000n;
  const offset = random.pick([0n, 0n, 0n, 500_000_000n, 999_999_900n, 100n]);
  return epochNs + seconds + offset;
}

function randomLine(random: Random): string {
  const kind = random.below(20);
  if (kind < 7) return bytesOf(randomJson(random, 2));
  if (kind < 13) return bytesOf(randomLogfmt(random));
  if (kind < 15) return bytesOf(random.pick(brokenJson));
  if (kind < 16) {
    const inner = random.oneIn(2) ? randomLogfmt(random) : randomJson(random, 1);
    const pairs = { container: "c1", a: random.pick(values), _entry: inner };
    return bytesOf(JSON.stringify(random.oneIn(4) ? { n: 1, ...pairs } : pairs));
  }
  if (kind < 17) return `bad \xff\xfe bytes ${random.below(3)}`;
  return bytesOf(random.pick(plainLines));
}

const names = [
  "a",
  "a",
  "b",
  "b",
  "n",
  "level",
  "d",
  "s",
  "ip",
  "level",
  "app",
  "trace",
  "a_b",
  "1st",
  "x-y",
];
/** Numbers, durations, sizes and addresses, and what is none. */
const values = [
  "1",
  "2",
  "2.5",
  "-3",
  "007",
  "5s",
  "250ms",
  "1m30s",
  "2KB",
  "1KiB",
  "abc",
  "",
  "10.0.0.1",
  "10.1.0.7",
  "é",
];

function randomJson(random: Random, depth: number): string {
  const fields = Array.from({ length: random.below(5) }, () => {
    const name = JSON.stringify(random.pick(names));
    return `${name}:${randomJsonValue(random, depth)}`;
  });
  return `{${fields.join(random.oneIn(5) ? " , " : ",")}}`;
}

function randomJsonValue(random: Random, depth: number): string {
  switch (random.below(10)) {
    case 0:
      return depth > 0 ? randomJson(random, depth - 1) : "{}";
    case 1:
      return random.pick(["[]", "[1,2]", '[{"a":1}]', '["]"]']);
    case 2:
      return random.pick(["null", "true", "false"]);
    case 3:
    case 4:
      return random.pick(["1", "2", "2.50", "-3", "1e2", "0"]);
    case 5:
      return random.pick(['"q\\"uote"', '"tab\\t"', '"\\u00e9"', '"a{b}"', '"a,b"']);
    default:
      return JSON.stringify(random.pick(values));
  }
}

/** Where they break is beyond doubt: not within a number, not within a nested object. */
const brokenJson = [
  "{",
  '{"a"',
  '{"a":',
  '{"a":"x","b":',
  '{"a":"x","b":"y',
  '{"a":"x","n":"5",',
  '{"a" 1}',
  "{a:1}",
  '{"a":"x" "b":"y"}',
  "[1,2]",
  '"text"',
  "12",
  "null",
  "not json {",
];

function randomLogfmt(random: Random): string {
  const pairs = Array.from({ length: random.between(1, 5) }, () => {
    const name = random.pick(names);
    switch (random.below(12)) {
      case 0:
        return name;
      case 1:
        return `${name}=`;
      case 2:
        return `${name}="two words"`;
      case 3:
        return `${name}="esc \\"q\\" \\t"`;
      case 4:
        return random.pick([
          `${name}=x=y`,
          `${name}=x"y`,
          `="x"`,
          `=x`,
          `"${name}"`,
          `${name}"=x`,
          `${name}=""`,
        ]);
      default:
        return `${name}=${random.pick(values)}`;
    }
  });
  if (random.oneIn(15)) pairs.push('level="open');
  return pairs.join(random.oneIn(6) ? "  " : " ");
}

const plainLines = [
  "",
  " ",
  "error: disk full",
  "ERROR at 10.0.0.1:80",
  "GET /api/users 200 12ms",
  "GET /api/orders 503",
  "POST /api/users 201 250ms",
  "level=info é 😀",
  "two\nlines a=1",
  "\u001b[31mred\u001b[0m a=1 level=error",
  "from 10.1.0.7 to 192.168.4.5",
  "[ts] [info] message",
];
