/** What well-formed queries mean: precedence, stages, literals, ranges, and where each node stood.
 */
import { Result } from "effect";
import t from "tap";
import { withoutSpans } from "../testing/logqlTrees.ts";
import type { Expr, Predicate, Span } from "./ast.ts";
import { parse } from "./parser.ts";

function tree(query: string): Expr {
  return Result.getOrThrowWith(parse(query), (error) => new Error(`${query}: ${error.message}`));
}

/** Operators as nested lists, all else by its text in the query. */
function shape(query: string, expr: Expr = tree(query)): string {
  if (expr.kind !== "BinaryExpr") return query.slice(expr.span.start, expr.span.end);
  return `(${expr.op} ${shape(query, expr.left)} ${shape(query, expr.right)})`;
}

function filterShape(filter: string): string {
  const query = `{a="b"} | ${filter}`;
  const visit = (predicate: Predicate): string =>
    predicate.kind === "LogicalPredicate"
      ? `(${predicate.op} ${visit(predicate.left)} ${visit(predicate.right)})`
      : query.slice(predicate.span.start, predicate.span.end);
  const expr = tree(query);
  const stage = expr.kind === "LogQuery" ? expr.pipeline[0] : undefined;
  return stage?.kind === "LabelFilter" ? visit(stage.predicate) : `not a label filter`;
}

t.test("binary operators bind as in Loki", (t) => {
  const f = (query: string, expected: string) => t.equal(shape(query), expected, query);
  f("1 + 2 * 3", "(+ 1 (* 2 3))");
  f("1 * 2 + 3", "(+ (* 1 2) 3)");
  f("1 - 2 - 3", "(- (- 1 2) 3)");
  f("2 ^ 3 ^ 4", "(^ 2 (^ 3 4))");
  f("-2 ^ 3", "(^ -2 3)");
  f("2 * 3 ^ 4", "(* 2 (^ 3 4))");
  f("8 / 4 % 3 * 2", "(* (% (/ 8 4) 3) 2)");
  f("1 + 2 > 3", "(> (+ 1 2) 3)");
  f("1 > 2 == 3", "(== (> 1 2) 3)");
  f("1 - -1", "(- 1 -1)");
  f("1 -1", "(- 1 1)");
  f("1+1", "(+ 1 1)");
  f("(1 + 2) * 3", "(* (+ 1 2) 3)");
  f("vector(1) or vector(2) and vector(3)", "(or vector(1) (and vector(2) vector(3)))");
  f(
    "vector(1) and vector(2) unless vector(3) or vector(4)",
    "(or (unless (and vector(1) vector(2)) vector(3)) vector(4))",
  );
  f("vector(1) OR vector(2) == BOOL 3", "(or vector(1) (== vector(2) 3))");
  t.end();
});

t.test("label filters bind as in Loki", (t) => {
  const f = (filter: string, expected: string) => t.equal(filterShape(filter), expected, filter);
  f("a=1", "a=1");
  f("a=1 and b=2 and c=3", "(and (and a=1 b=2) c=3)");
  f("a=1 or b=2 or c=3", "(or (or a=1 b=2) c=3)");
  f("a=1 or b=2 and c=3", "(or a=1 (and b=2 c=3))");
  f("a=1 and b=2 or c=3", "(or (and a=1 b=2) c=3)");
  f("(a=1 or b=2) and c=3", "(and (or a=1 b=2) c=3)");
  f("a=1, b=2, c=3", "(and a=1 (and b=2 c=3))");
  f("a=1 b=2 c=3", "(and a=1 (and b=2 c=3))");
  f("a=1, b=2 or c=3", "(and a=1 (or b=2 c=3))");
  f("a=1 or b=2, c=3", "(or a=1 (and b=2 c=3))");
  f("a=1 b=2, c=3 or d=4", "(and a=1 (and b=2 (or c=3 d=4)))");
  f('a="x" (b=2)', '(and a="x" b=2)');
  f("a=1 AND b=2 Or c=3", "(or (and a=1 b=2) c=3)");
  f('or="x" or and="y"', '(or or="x" and="y")');
  t.end();
});

t.test("parse reads stages", (t) => {
  const f = (stages: string, ...expected: object[]) => {
    const expr = tree(`{a="b"} ${stages}`);
    t.same(withoutSpans(expr.kind === "LogQuery" && expr.pipeline), expected, stages);
  };
  const line = (op: string, ...values: string[]) => ({
    kind: "LineFilter",
    op,
    operands: values.map((value) => ({ kind: "LineFilterOperand", type: "text", value })),
  });
  f('|= "x" != "y" |~ `\\d` !~ "z" |> "<_>a" !> "b<_>"', ...[
    line("|=", "x"),
    line("!=", "y"),
    line("|~", "\\d"),
    line("!~", "z"),
    line("|>", "<_>a"),
    line("!>", "b<_>"),
  ]);
  f('|= "x" or "y" OR `z`', line("|=", "x", "y", "z"));
  f('|= ip("::1") or "x"', {
    kind: "LineFilter",
    op: "|=",
    operands: [
      { kind: "LineFilterOperand", type: "ip", value: "::1" },
      { kind: "LineFilterOperand", type: "text", value: "x" },
    ],
  });
  f("| JSON", { kind: "JsonParser", extractions: [] });
  f('| json != "x"', { kind: "JsonParser", extractions: [] }, line("!=", "x"));
  f('| json a, b="c.d[0]"', {
    kind: "JsonParser",
    extractions: [
      { kind: "Extraction", name: "a", expression: "a" },
      { kind: "Extraction", name: "b", expression: "c.d[0]" },
    ],
  });
  f("| logfmt --strict --keep-empty a", {
    kind: "LogfmtParser",
    strict: true,
    keepEmpty: true,
    extractions: [{ kind: "Extraction", name: "a", expression: "a" }],
  });
  f('| unpack | decolorize | pattern "<a>" | regexp "(?P<x>y)"', ...[
    { kind: "UnpackParser" },
    { kind: "Decolorize" },
    { kind: "PatternParser", pattern: "<a>" },
    { kind: "RegexpParser", regex: "(?P<x>y)" },
  ]);
  f('| label_format a=b, c="{{.d}}" | line_format "{{.e}}"', {
    kind: "LabelFormat",
    assignments: [
      { kind: "LabelAssignment", name: "a", type: "rename", source: "b" },
      { kind: "LabelAssignment", name: "c", type: "template", source: "{{.d}}" },
    ],
  }, { kind: "LineFormat", template: "{{.e}}" });
  f('| drop a, b="c" | keep d', {
    kind: "DropLabels",
    labels: [
      { kind: "LabelName", name: "a" },
      { kind: "LabelMatcher", name: "b", op: "=", value: "c" },
    ],
  }, { kind: "KeepLabels", labels: [{ kind: "LabelName", name: "d" }] });
  t.end();
});

t.test("parse reads typed literals of label filters", (t) => {
  const f = (filter: string, expected: object) => {
    const expr = tree(`{a="b"} | ${filter}`);
    const stage = expr.kind === "LogQuery" && expr.pipeline[0];
    t.same(withoutSpans(stage), { kind: "LabelFilter", predicate: expected }, filter);
  };
  const number = (op: string, value: number) => ({ kind: "NumberPredicate", name: "x", op, value });
  f("x = 5", number("==", 5));
  f("x == -1.5", number("==", -1.5));
  f("x >= 1e3", number(">=", 1000));
  f("x < .5", number("<", 0.5));
  f("x != +7", number("!=", 7));
  const duration = (op: string, ns: bigint) => ({
    kind: "DurationPredicate",
    name: "x",
    op,
    valueNs: `${ns}ns`,
  });
  f("x > 250ms", duration(">", 250_000_000n));
  f("x > 1.5h", duration(">", 5_400_000_000_000n));
  f("x > 1h30m", duration(">", 5_400_000_000_000n));
  f("x > 1d", duration(">", 86_400_000_000_000n));
  f("x > 2w", duration(">", 1_209_600_000_000_000n));
  f("x > 10µs", duration(">", 10_000n));
  f("x <= -3ns", duration("<=", -3n));
  const bytes = (op: string, valueBytes: number) => ({
    kind: "BytesPredicate",
    name: "x",
    op,
    valueBytes,
  });
  f("x > 20KB", bytes(">", 20_000));
  f("x > 20kB", bytes(">", 20_000));
  f("x > 20KiB", bytes(">", 20_480));
  f("x > 1.5MiB", bytes(">", 1_572_864));
  f("x > 7B", bytes(">", 7));
  f("x > 3G", bytes(">", 3e9));
  f('x = ip("10.0.0.0/8")', { kind: "IpPredicate", name: "x", op: "=", value: "10.0.0.0/8" });
  f('x !~ "a|b"', { kind: "LabelMatcher", name: "x", op: "!~", value: "a|b" });
  t.end();
});

t.test("parse reads strings", (t) => {
  const f = (literal: string, expected: string) => {
    const expr = tree(`{a=${literal}, b="x"}`);
    t.equal(expr.kind === "LogQuery" && expr.selector.matchers[0]!.value, expected, literal);
  };
  f('"plain"', "plain");
  f('"a\\"b\\\\c"', 'a"b\\c');
  f('"\\n\\t\\r\\a\\b\\f\\v"', "\n\t\r\x07\b\f\v");
  f('"\\x41\\101\\u00e9\\U0001f600"', "AAé😀");
  f('"\\xc3\\xa9"', "é");
  f('`raw \\n " text`', 'raw \\n " text');
  f("`two\nlines`", "two\nlines");
  f('"# no comment"', "# no comment");
  t.end();
});

t.test("a log range may be written in many orders", (t) => {
  const expected = withoutSpans(tree('rate({a="b"} |= "x" | unwrap y | z="1" [5m] offset 1h)'));
  const f = (range: string) => t.same(withoutSpans(tree(`rate(${range})`)), expected, range);
  f('({a="b"} |= "x" | unwrap y | z="1" [5m] offset 1h)');
  f('({a="b"} |= "x" | unwrap y | z="1") [5m] offset 1h');
  f('{a="b"} [5m] offset 1h |= "x" | unwrap y | z="1"');
  f('({a="b"})[5m] offset 1h |= "x" | unwrap y | z="1"');
  f('{a="b"}[300s] OFFSET 60m |= "x" | unwrap y | z="1"');
  t.end();
});

t.test("parse reads aggregations and matching", (t) => {
  const f = (left: string, right: string) =>
    t.same(withoutSpans(tree(left)), withoutSpans(tree(right)), left);
  f("sum(vector(1)) by (a, b)", "SUM BY (a, b) (vector(1))");
  f("topk(3, vector(1)) without (a)", "topk without (a) (3, vector(1))");
  f("sum by () (vector(1))", "sum(vector(1)) by ()");
  f(
    "vector(1) * on (a) group_left vector(2)",
    "vector(1) * on (a) group_left () vector(2)",
  );
  f(
    "vector(1) * on (a) group_left (vector(2))",
    "vector(1) * on (a) group_left () (vector(2))",
  );
  const matching = withoutSpans(tree("vector(1) > bool ignoring (a, b) group_right (c) vector(2)"));
  t.match(matching, {
    kind: "BinaryExpr",
    op: ">",
    returnBool: true,
    matching: { mode: "ignoring", labels: ["a", "b"], group: { side: "right", labels: ["c"] } },
  });
  t.match(
    withoutSpans(tree('quantile_over_time(0.99, {a="b"} | unwrap duration(c) [1d]) by (d)')),
    {
      kind: "RangeAggregation",
      op: "quantile_over_time",
      parameter: 0.99,
      range: { rangeNs: "86400000000000ns", unwrap: { label: "c", conversion: "duration" } },
      grouping: { mode: "by", labels: ["d"] },
    },
  );
  t.match(withoutSpans(tree('variants(vector(1), rate({a="b"}[1m])) of ({a="b"}[5m])')), {
    kind: "Variants",
    variants: [{ kind: "VectorExpr" }, { kind: "RangeAggregation" }],
    range: { rangeNs: "300000000000ns" },
  });
  t.end();
});

t.test("words of the language may name labels", (t) => {
  for (
    const word of ["rate", "bytes", "by", "json", "and", "or", "unwrap", "sum", "offset", "ip"]
  ) {
    t.ok(
      tree(`{${word}="x"} | ${word}="y" | drop ${word} | json ${word} | label_format z=${word}`),
    );
    t.ok(tree(`sum by (${word}) (rate({a="b"} | unwrap ${word} [5m]))`));
  }
  t.end();
});

t.test("every node says where it stood", (t) => {
  const query =
    'sum by (x) (rate({a="b", c=~"d"} |= "e" or "f" | g > 5 and h="i" [5m] offset 1m)) / 2';
  const seen: string[] = [];
  const visit = (value: unknown, parent: Span): void => {
    if (Array.isArray(value)) return value.forEach((item) => visit(item, parent));
    if (typeof value !== "object" || value === null) return;
    const span = (value as { span?: Span }).span ?? parent;
    const inside = span.start >= parent.start && span.end <= parent.end;
    t.ok(inside, `${query.slice(span.start, span.end)} lies within its parent`);
    if (span !== parent) seen.push(query.slice(span.start, span.end));
    for (const [key, child] of Object.entries(value)) if (key !== "span") visit(child, span);
  };
  visit(tree(query), { start: 0, end: query.length });
  t.same(seen, [
    query,
    query.slice(0, -4),
    query.slice(12, -5),
    '{a="b", c=~"d"} |= "e" or "f" | g > 5 and h="i" [5m] offset 1m',
    '{a="b", c=~"d"}',
    'a="b"',
    'c=~"d"',
    '|= "e" or "f"',
    '"e"',
    '"f"',
    '| g > 5 and h="i"',
    'g > 5 and h="i"',
    "g > 5",
    'h="i"',
    "by (x)",
    "2",
  ]);
  t.end();
});
