/** Parses expressions: aggregations, functions and binary operators around log ranges
 *  (rangeParser.ts) and log queries. Operators are parsed by binding power (Pratt). Invariant:
 *  every function's demands in functions.ts hold in the tree. */
import { compileValueRegex } from "../streams/regex.ts";
import type {
  BinaryExpr,
  Expr,
  Grouping,
  LogQuery,
  LogRange,
  MetricExpr,
  NumberLiteral,
  Stage,
  VectorMatching,
} from "./ast.ts";
import { nearestWord } from "./error.ts";
import {
  type BinaryOperator,
  binaryOperators,
  foreignFunctions,
  type RangeFunction,
  rangeFunctions,
  vectorFunctions,
} from "./functions.ts";
import type { Token } from "./lexer.ts";
import { atStage, parseStage } from "./pipelineParser.ts";
import { parseLogRange } from "./rangeParser.ts";
import { parseSelector, regexError } from "./selectorParser.ts";
import type { TokenStream } from "./tokenStream.ts";

/** Parses an expression of either type, with its binary operators. */
export function parseExpression(stream: TokenStream): Expr {
  return parseOperators(stream, 0);
}

/** Parses a selector and its pipeline. */
export function parseLogQuery(stream: TokenStream): LogQuery {
  const start = stream.peek().start;
  const selector = parseSelector(stream, false);
  const pipeline: Stage[] = [];
  while (atStage(stream)) pipeline.push(parseStage(stream));
  return { kind: "LogQuery", selector, pipeline, span: stream.spanFrom(start) };
}

function parseOperators(stream: TokenStream, bindingMin: number): Expr {
  const start = stream.peek().start;
  let left = parseOperand(stream);
  for (;;) {
    const token = stream.peek();
    const operator = token.kind === "operator" || token.kind === "word"
      ? binaryOperators.get(token.text.toLowerCase())
      : undefined;
    if (operator === undefined || operator.binding <= bindingMin) return left;
    if (left.kind === "LogQuery") throw logOperand(stream, left, token);
    stream.countOperator(token);
    stream.next();
    left = parseBinaryRest(stream, left, operator, token, start);
  }
}

function parseBinaryRest(
  stream: TokenStream,
  left: MetricExpr,
  operator: BinaryOperator,
  token: Token,
  start: number,
): BinaryExpr {
  const returnBool = stream.atWord("bool");
  if (returnBool) {
    if (operator.type !== "comparison") {
      throw stream.fail("a metric query", `bool goes with comparisons, not with "${token.text}"`);
    }
    stream.next();
  }
  const matching = parseMatching(stream, operator);
  const binding = operator.rightAssociative ? operator.binding - 1 : operator.binding;
  const right = stream.nested(() => parseOperators(stream, binding));
  if (right.kind === "LogQuery") throw logOperand(stream, right, token);
  if (operator.type === "set") {
    const literal = [left, right].find((side) => side.kind === "NumberLiteral");
    if (literal !== undefined) {
      throw stream.complain(
        literal.span,
        `unexpected literal in logical/set binary operation (${operator.op})`,
        `"${operator.op}" combines vectors: write vector(1) for 1`,
      );
    }
  }
  const span = stream.spanFrom(start);
  return { kind: "BinaryExpr", op: operator.op, left, right, returnBool, matching, span };
}

function logOperand(stream: TokenStream, query: LogQuery, token: Token) {
  return stream.complain(
    query.span,
    `unexpected log query as operand of "${token.text}"`,
    "operators combine metric queries: wrap it as in count_over_time({...}[5m])",
  );
}

function parseMatching(stream: TokenStream, operator: BinaryOperator): VectorMatching | null {
  const token = stream.peek();
  const mode = stream.atWord("on") ? "on" : stream.atWord("ignoring") ? "ignoring" : null;
  if (mode === null) {
    if (stream.atWord("group_left") || stream.atWord("group_right")) {
      throw stream.fail(
        "a metric query",
        "group_left and group_right follow on(...) or ignoring(...)",
      );
    }
    return null;
  }
  stream.next();
  const labels = stream.labelList();
  let group: VectorMatching["group"] = null;
  const side = stream.atWord("group_left") ? "left" : stream.atWord("group_right") ? "right" : null;
  if (side !== null) {
    if (operator.type === "set") {
      throw stream.fail("a metric query", `no grouping allowed for "${operator.op}" operation`);
    }
    stream.next();
    group = { side, labels: groupLabels(stream) };
  }
  return { kind: "VectorMatching", mode, labels, group, span: stream.spanFrom(token.start) };
}

/** The list after group_left, unless the parenthesis opens the operand. */
function groupLabels(stream: TokenStream): ReadonlyArray<string> {
  const isList = stream.at("(") &&
    (stream.at(")", 1) ||
      stream.peek(1).kind === "word" && (stream.at(",", 2) || stream.at(")", 2)));
  return isList ? stream.labelList() : [];
}

function parseOperand(stream: TokenStream): Expr {
  const token = stream.peek();
  if (token.kind === "number" || stream.at("-") || stream.at("+")) return parseLiteral(stream);
  if (token.kind === "word") return parseFunction(stream, token);
  if (stream.at("{")) return parseLogQuery(stream);
  if (stream.take("(")) {
    const inner = stream.nested(() => parseOperators(stream, 0));
    stream.expect(")", inner.kind === "LogQuery" ? 'a stage or ")"' : 'an operator or ")"');
    return inner;
  }
  throw stream.fail("a log or metric query", operandHint(token));
}

function operandHint(token: Token): string | undefined {
  switch (token.kind) {
    case "end":
      return 'a query starts with a selector such as {app="web"}';
    case "string":
      return `to search a text, write {app="web"} |= ${token.text.slice(0, 60)}`;
    case "duration":
    case "bytes":
      return "plain numbers only here";
    default:
      return undefined;
  }
}

function parseLiteral(stream: TokenStream): NumberLiteral {
  const start = stream.peek().start;
  const negative = stream.take("-");
  if (!negative) stream.take("+");
  const token = stream.peek();
  if (token.kind !== "number") {
    throw stream.fail("a number", "a sign goes with numbers only: write 0 - x or -1 * x");
  }
  stream.next();
  const value = negative ? -token.value : token.value;
  return { kind: "NumberLiteral", value, span: stream.spanFrom(start) };
}

function parseFunction(stream: TokenStream, token: Token): MetricExpr {
  const name = token.text.toLowerCase();
  const called = stream.at("(", 1) || stream.atWord("by", 1) || stream.atWord("without", 1);
  if (called) {
    const range = rangeFunctions.get(name);
    if (range !== undefined) return parseRangeAggregation(stream, range.op, range);
    if (vectorFunctions.has(name)) return parseVectorAggregation(stream, name);
    if (name === "label_replace") return parseLabelReplace(stream);
    if (name === "vector") return parseVector(stream);
    if (name === "variants") return parseVariants(stream);
  }
  throw unknownFunction(stream, token, called);
}

const functionNames = [
  ...rangeFunctions.keys(),
  ...vectorFunctions.keys(),
  "label_replace",
  "vector",
  "variants",
];

function unknownFunction(stream: TokenStream, token: Token, called: boolean) {
  const name = token.text.toLowerCase();
  if (!called) {
    const known = functionNames.includes(name);
    const hint = known
      ? `${name} is a function: write ${name}(...)`
      : binaryOperators.has(name)
      ? `"${name}" stands between two metric queries`
      : stream.peek(1).kind === "word" || stream.peek(1).kind === "operator"
      ? 'log queries start with a selector such as {app="web"}'
      : `log queries start with a selector such as {app="${token.text.slice(0, 40)}"}`;
    return stream.fail("a log or metric query", hint);
  }
  const nearest = nearestWord(name, functionNames);
  const hint = Object.hasOwn(foreignFunctions, name)
    ? foreignFunctions[name]
    : nearest === undefined
    ? undefined
    : `did you mean "${nearest}"?`;
  return stream.complain(token, `unknown function "${token.text.slice(0, 60)}"`, hint);
}

// ---- functions ----

function parseRangeAggregation(
  stream: TokenStream,
  op: LogRangeOp,
  demands: RangeFunction,
): MetricExpr {
  const name = stream.next();
  stream.expect("(", '"("', "by and without follow the closing parenthesis of a range aggregation");
  const parameter = parseQuantile(stream, op, demands);
  const range = stream.nested(() => parseLogRange(stream));
  stream.expect(")", '"|", a range such as [5m], offset or ")"');
  checkUnwrap(stream, name, op, demands, range);
  const groupingAt = stream.peek();
  const grouping = parseGrouping(stream);
  if (grouping !== null && !demands.grouping) {
    throw stream.complain(
      groupingAt,
      `grouping not allowed for ${op} aggregation`,
      `wrap it: sum ${grouping.mode} (${grouping.labels.join(", ")}) (${op}(...))`,
    );
  }
  const span = stream.spanFrom(name.start);
  return { kind: "RangeAggregation", op, parameter, range, grouping, span };
}

type LogRangeOp = Extract<MetricExpr, { kind: "RangeAggregation" }>["op"];

function parseQuantile(stream: TokenStream, op: string, demands: RangeFunction): number | null {
  const token = stream.peek();
  const signed = stream.at("-") || stream.at("+");
  if (token.kind !== "number" && !signed) {
    if (!demands.parameter) return null;
    throw stream.fail("a number", `parameter required for operation ${op}: ${op}(0.99, ...)`);
  }
  if (!demands.parameter) {
    throw stream.fail("a log query", `parameter not supported for operation ${op}`);
  }
  const value = parseLiteral(stream).value;
  stream.expect(",");
  return value;
}

function checkUnwrap(
  stream: TokenStream,
  name: Token,
  op: string,
  demands: RangeFunction,
  range: LogRange,
): void {
  if (range.unwrap === null && demands.unwrap === "required") {
    throw stream.complain(
      name,
      `invalid aggregation ${op} without unwrap`,
      "name the label to read numbers from: {...} | json | unwrap latency [5m]",
    );
  }
  if (range.unwrap !== null && demands.unwrap === "refused") {
    throw stream.complain(
      range.unwrap.span,
      `invalid aggregation ${op} with unwrap`,
      `${op} counts lines; sum_over_time adds up values`,
    );
  }
}

function parseVectorAggregation(stream: TokenStream, name: string): MetricExpr {
  const start = stream.next();
  const demands = vectorFunctions.get(name)!;
  let groupingAt = stream.peek();
  let grouping = parseGrouping(stream);
  stream.expect("(");
  const parameter = parseCount(stream, name, demands.parameter);
  const inner = stream.nested(() => parseOperators(stream, 0));
  if (inner.kind === "LogQuery") {
    throw stream.complain(
      inner.span,
      `unexpected log query as argument of ${name}`,
      `wrap it: ${name}(count_over_time({...}[5m]))`,
    );
  }
  stream.expect(")", 'an operator or ")"');
  if (stream.atWord("by") || stream.atWord("without")) {
    if (grouping !== null) {
      throw stream.fail("end of the aggregation", "grouping was already given");
    }
    groupingAt = stream.peek();
    grouping = parseGrouping(stream);
  }
  if (grouping !== null && !demands.grouping) {
    throw stream.complain(groupingAt, `grouping not allowed for ${name} aggregation`);
  }
  const span = stream.spanFrom(start.start);
  return { kind: "VectorAggregation", op: demands.op, parameter, expr: inner, grouping, span };
}

function parseCount(stream: TokenStream, name: string, wanted: boolean): number | null {
  const token = stream.peek();
  // `sum(1 + x)` has no parameter; only a number before a comma is one.
  const given = token.kind === "number" && stream.at(",", 1);
  if (!wanted) {
    if (!given) return null;
    throw stream.fail("a metric query", `unsupported parameter for operation ${name}`);
  }
  if (token.kind !== "number") {
    throw stream.fail("a number", `parameter required for operation ${name}: ${name}(10, ...)`);
  }
  if (!Number.isSafeInteger(token.value) || token.value <= 0) {
    throw stream.complain(
      token,
      `invalid parameter ${name}(${token.text}, ...)`,
      "it must be a whole number greater than 0",
    );
  }
  stream.next();
  stream.expect(",");
  return token.value;
}

function parseGrouping(stream: TokenStream): Grouping | null {
  const mode = stream.atWord("by") ? "by" : stream.atWord("without") ? "without" : null;
  if (mode === null) return null;
  const start = stream.next().start;
  const labels = stream.labelList();
  return { kind: "Grouping", mode, labels, span: stream.spanFrom(start) };
}

function parseLabelReplace(stream: TokenStream): MetricExpr {
  const start = stream.next().start;
  const comma = () =>
    stream.expect(
      ",",
      undefined,
      'label_replace(v, "target", "$1", "source", "(.*)") has five arguments',
    );
  stream.expect("(");
  const inner = stream.nested(() => parseOperators(stream, 0));
  if (inner.kind === "LogQuery") {
    throw stream.complain(inner.span, "unexpected log query as argument of label_replace");
  }
  comma();
  const destination = stream.expectString("the destination label in quotes");
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(destination.value)) {
    throw stream.complain(destination, `invalid label name ${destination.text} in label_replace`);
  }
  comma();
  const replacement = stream.expectString("the replacement in quotes").value;
  comma();
  const source = stream.expectString("the source label in quotes").value;
  comma();
  const regex = stream.expectString("a regular expression in quotes");
  try {
    compileValueRegex(regex.value);
  } catch (error) {
    throw regexError(stream, regex, error);
  }
  stream.expect(")");
  return {
    kind: "LabelReplace",
    expr: inner,
    destination: destination.value,
    replacement,
    source,
    regex: regex.value,
    span: stream.spanFrom(start),
  };
}

function parseVector(stream: TokenStream): MetricExpr {
  const start = stream.next().start;
  stream.expect("(");
  const value = parseLiteral(stream).value;
  stream.expect(")");
  return { kind: "VectorExpr", value, span: stream.spanFrom(start) };
}

function parseVariants(stream: TokenStream): MetricExpr {
  const start = stream.next().start;
  stream.expect("(");
  const variants: MetricExpr[] = [];
  do {
    const variant = stream.nested(() => parseOperators(stream, 0));
    if (variant.kind === "LogQuery") {
      throw stream.complain(variant.span, "unexpected log query as argument of variants");
    }
    variants.push(variant);
  } while (stream.take(","));
  stream.expect(")", '"," or ")"');
  if (!stream.takeWord("of")) throw stream.fail('"of"', "as in variants(...) of ({...}[5m])");
  stream.expect("(");
  const range = stream.nested(() => parseLogRange(stream));
  stream.expect(")");
  return { kind: "Variants", variants, range, span: stream.spanFrom(start) };
}
