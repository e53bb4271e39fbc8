/** Arbitrary LogQL syntax trees: everything the parser can build, and nothing it cannot. Spans are
 *  dummies; compare trees with `withoutSpans`. */
import fc from "fast-check";
import type * as Ast from "../logql/ast.ts";
import { rangeFunctions, vectorFunctions } from "../logql/functions.ts";

/** The tree with every span removed; bigints become text so that it can be compared and printed as
 *  JSON. */
export function withoutSpans(tree: unknown): unknown {
  return JSON.parse(
    JSON.stringify(tree, (key, value) => {
      if (key === "span") return undefined;
      if (Object.is(value, -0)) return "-0";
      return typeof value === "bigint" ? `${value}ns` : value;
    }),
  );
}

const span = { start: 0, end: 0 };

/** Names that are also words of the language come often: they are what a parser trips over. */
const name = fc.oneof(
  fc.constantFrom("app", "env", "level", "_x", "A9"),
  fc.constantFrom(
    "rate",
    "by",
    "json",
    "logfmt",
    "and",
    "or",
    "unwrap",
    "ip",
    "offset",
    "bool",
    "on",
  ),
  fc.constantFrom("drop", "decolorize", "unpack", "sum", "of", "without", "unless", "group_left"),
);
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }).map((value) => value.toWellFormed()),
  fc.constantFrom("", '"', "`", "\\d+", "a\nb", "\r", "`\\", "\x00", "é😀", "{{.x}}", "#no"),
);
const regex = fc.constantFrom("a.*", "\\d+", "x|y", "(?i)z", "", "`\\w`", '[^"]');

const op = <Op>(...ops: ReadonlyArray<Op>): fc.Arbitrary<Op> => fc.constantFrom(...ops);
const textOp = op<"=" | "!=">("=", "!=");
const regexOp = op<"=~" | "!~">("=~", "!~");

const matcher: fc.Arbitrary<Ast.LabelMatcher> = fc.oneof(
  fc.tuple(name, textOp, text),
  fc.tuple(name, regexOp, regex),
).map(([name, op, value]) => ({ kind: "LabelMatcher", name, op, value, span }));

const selector: fc.Arbitrary<Ast.Selector> = fc.array(matcher, { maxLength: 2 }).map((more) => ({
  kind: "Selector",
  matchers: [{ kind: "LabelMatcher", name: "app", op: "=", value: "x", span }, ...more],
  span,
}));

const ip = fc.constantFrom("10.0.0.1", "10.0.0.0/8", "::1", "10.0.0.1-10.0.0.9");
const compareOp = op<Ast.CompareOp>("==", "!=", ">", ">=", "<", "<=");
const finite = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, 1e21, 5e-324, 0.1),
);
const durationNs = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  fc.integer({ min: 0, max: 1e9 }).map((ms) => BigInt(ms) * 1_000_000n),
);
const rangeNs = fc.integer({ min: 0, max: 1e12 }).map((ms) => BigInt(ms) * 1_000_000n);
const signed = fc.tuple(durationNs, fc.boolean()).map(([value, negative]) =>
  negative ? -value : value
);

const leaf: fc.Arbitrary<Ast.Predicate> = fc.oneof(
  matcher,
  fc.tuple(name, compareOp, finite).map(([name, op, value]): Ast.Predicate => ({
    kind: "NumberPredicate",
    name,
    op,
    value,
    span,
  })),
  fc.tuple(name, compareOp, signed).map(([name, op, valueNs]): Ast.Predicate => ({
    kind: "DurationPredicate",
    name,
    op,
    valueNs,
    span,
  })),
  fc.tuple(name, compareOp, fc.oneof(fc.maxSafeNat(), fc.nat(100).map((n) => n * 1024)))
    .map(([name, op, valueBytes]): Ast.Predicate => ({
      kind: "BytesPredicate",
      name,
      op,
      valueBytes,
      span,
    })),
  fc.tuple(name, textOp, ip).map(([name, op, value]): Ast.Predicate => ({
    kind: "IpPredicate",
    name,
    op,
    value,
    span,
  })),
);

const predicate: fc.Arbitrary<Ast.Predicate> = fc.letrec<{ node: Ast.Predicate }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.tuple(op<"and" | "or">("and", "or"), tie("node"), tie("node")).map(
      ([op, left, right]): Ast.Predicate => ({ kind: "LogicalPredicate", op, left, right, span }),
    ),
  ),
})).node;

const labelFilter: fc.Arbitrary<Ast.LabelFilter> = predicate.map((predicate) => ({
  kind: "LabelFilter",
  predicate,
  span,
}));

const operand = (value: fc.Arbitrary<string>, type: "text" | "ip" = "text") =>
  value.map((value): Ast.LineFilterOperand => ({ kind: "LineFilterOperand", type, value, span }));
const operands = (one: fc.Arbitrary<Ast.LineFilterOperand>) =>
  fc.array(one, { minLength: 1, maxLength: 3 });

const lineFilter: fc.Arbitrary<Ast.LineFilter> = fc.oneof(
  fc.tuple(op<Ast.LineFilterOp>("|=", "!="), operands(fc.oneof(operand(text), operand(ip, "ip")))),
  fc.tuple(op<Ast.LineFilterOp>("|~", "!~"), operands(operand(regex))),
  fc.tuple(op<Ast.LineFilterOp>("|>", "!>"), operands(operand(fc.constantFrom("a<_>", "<_>b<_>")))),
).map(([op, operands]) => ({ kind: "LineFilter", op, operands, span }));

const extractions = (expression: fc.Arbitrary<string>) =>
  fc.array(
    fc.tuple(name, fc.option(expression, { nil: null })).map(
      ([name, expression]): Ast.Extraction => ({
        kind: "Extraction",
        name,
        expression: expression ?? name,
        span,
      }),
    ),
    { maxLength: 3 },
  );

const assignments = fc.uniqueArray(
  fc.oneof(
    fc.tuple(name, name).map(([name, source]): Ast.LabelAssignment => ({
      kind: "LabelAssignment",
      name,
      type: "rename",
      source,
      span,
    })),
    fc.tuple(name, text).map(([name, source]): Ast.LabelAssignment => ({
      kind: "LabelAssignment",
      name,
      type: "template",
      source,
      span,
    })),
  ),
  { minLength: 1, maxLength: 3, selector: (assignment) => assignment.name },
);

/** The last one has an operator, since `| drop a != "x"` reads as one matcher. */
const dropped = fc.tuple(
  fc.array(
    fc.oneof(matcher, name.map((name): Ast.LabelName => ({ kind: "LabelName", name, span }))),
    {
      maxLength: 2,
    },
  ),
  matcher,
).map(([labels, last]) => [...labels, last]);

const stage: fc.Arbitrary<Ast.Stage> = fc.oneof<fc.Arbitrary<Ast.Stage>[]>(
  lineFilter,
  labelFilter,
  extractions(fc.constantFrom("a.b", "a[0]", '["k y"]')).map((extractions) => ({
    kind: "JsonParser",
    extractions,
    span,
  })),
  fc.tuple(fc.boolean(), fc.boolean(), extractions(fc.constantFrom("a", "b.c"))).map(
    ([strict, keepEmpty, extractions]) => ({
      kind: "LogfmtParser",
      strict,
      keepEmpty,
      extractions,
      span,
    }),
  ),
  fc.constantFrom("<ip> <_>", "[<ts>]").map((pattern) => ({
    kind: "PatternParser",
    pattern,
    span,
  })),
  fc.constantFrom("(?P<x>a)", "(?P<y>\\d+)|z").map((regex) => ({
    kind: "RegexpParser",
    regex,
    span,
  })),
  fc.constant<Ast.Stage>({ kind: "UnpackParser", span }),
  text.map((template) => ({ kind: "LineFormat", template, span })),
  assignments.map((assignments) => ({ kind: "LabelFormat", assignments, span })),
  fc.constant<Ast.Stage>({ kind: "Decolorize", span }),
  dropped.map((labels) => ({ kind: "DropLabels", labels, span })),
  dropped.map((labels) => ({ kind: "KeepLabels", labels, span })),
);
const pipeline = fc.array(stage, { maxLength: 4 });

/** Any log query. */
export const logQuery: fc.Arbitrary<Ast.LogQuery> = fc.record({
  kind: fc.constant("LogQuery"),
  selector,
  pipeline,
  span: fc.constant(span),
});

const unwrap: fc.Arbitrary<Ast.Unwrap> = fc.record({
  kind: fc.constant("Unwrap"),
  label: name,
  conversion: op<Ast.Unwrap["conversion"]>(null, "bytes", "duration", "duration_seconds"),
  filters: fc.array(labelFilter, { maxLength: 2 }),
  span: fc.constant(span),
});

const range = (unwrap: fc.Arbitrary<Ast.Unwrap | null>): fc.Arbitrary<Ast.LogRange> =>
  fc.record({
    kind: fc.constant("LogRange"),
    selector,
    pipeline,
    unwrap,
    rangeNs,
    offsetNs: fc.oneof(fc.constant(0n), signed),
    span: fc.constant(span),
  });

const grouping: fc.Arbitrary<Ast.Grouping> = fc.record({
  kind: fc.constant("Grouping"),
  mode: op<"by" | "without">("by", "without"),
  labels: fc.array(name, { maxLength: 3 }),
  span: fc.constant(span),
});

const rangeAggregation = fc.constantFrom(...rangeFunctions.values()).chain((demands) =>
  fc.record<Ast.RangeAggregation>({
    kind: fc.constant("RangeAggregation"),
    op: fc.constant(demands.op),
    parameter: demands.parameter ? finite : fc.constant(null),
    range: range(
      demands.unwrap === "required"
        ? unwrap
        : demands.unwrap === "allowed"
        ? fc.option(unwrap)
        : fc.constant(null),
    ),
    grouping: demands.grouping ? fc.option(grouping) : fc.constant(null),
    span: fc.constant(span),
  })
);

const matching: fc.Arbitrary<Ast.VectorMatching> = fc.record({
  kind: fc.constant("VectorMatching"),
  mode: op<"on" | "ignoring">("on", "ignoring"),
  labels: fc.array(name, { maxLength: 2 }),
  group: fc.option(
    fc.record({
      side: op<"left" | "right">("left", "right"),
      labels: fc.array(name, { maxLength: 2 }),
    }),
  ),
  span: fc.constant(span),
});

const binary = (operand: fc.Arbitrary<Ast.MetricExpr>): fc.Arbitrary<Ast.BinaryExpr> =>
  fc.oneof(
    fc.tuple(
      op<Ast.BinaryOp>("+", "-", "*", "/", "%", "^"),
      fc.constant(false),
      fc.option(matching),
    ),
    fc.tuple(op<Ast.BinaryOp>("==", "!=", ">", ">=", "<", "<="), fc.boolean(), fc.option(matching)),
    fc.tuple(
      op<Ast.BinaryOp>("and", "or", "unless"),
      fc.constant(false),
      fc.option(matching.map((matching) => ({ ...matching, group: null }))),
    ),
  ).chain(([op, returnBool, matching]) => {
    const set = op === "and" || op === "or" || op === "unless";
    const side = set ? operand.filter((expr) => expr.kind !== "NumberLiteral") : operand;
    return fc.tuple(side, side).map(([left, right]): Ast.BinaryExpr => ({
      kind: "BinaryExpr",
      op,
      left,
      right,
      returnBool,
      matching,
      span,
    }));
  });

/** Any metric query. */
export const metricExpr: fc.Arbitrary<Ast.MetricExpr> = fc.letrec<{ node: Ast.MetricExpr }>((
  tie,
) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    rangeAggregation,
    finite.map((value): Ast.MetricExpr => ({ kind: "NumberLiteral", value, span })),
    finite.map((value): Ast.MetricExpr => ({ kind: "VectorExpr", value, span })),
    fc.constantFrom(...vectorFunctions.values()).chain((demands) =>
      fc.record<Ast.VectorAggregation>({
        kind: fc.constant("VectorAggregation"),
        op: fc.constant(demands.op),
        parameter: demands.parameter ? fc.integer({ min: 1 }) : fc.constant(null),
        expr: tie("node"),
        grouping: demands.grouping ? fc.option(grouping) : fc.constant(null),
        span: fc.constant(span),
      })
    ),
    fc.record<Ast.LabelReplace>({
      kind: fc.constant("LabelReplace"),
      expr: tie("node"),
      destination: name,
      replacement: text,
      source: text,
      regex,
      span: fc.constant(span),
    }),
    binary(tie("node")),
    fc.record<Ast.Variants>({
      kind: fc.constant("Variants"),
      variants: fc.array(tie("node"), { minLength: 1, maxLength: 2 }),
      range: range(fc.constant(null)),
      span: fc.constant(span),
    }),
  ),
})).node;
