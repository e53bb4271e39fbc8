/** Parses label filters: `status >= 500 and (method="GET" or path=~"/api.*")`. Invariant: operators
 *  bind as in Loki, where `and` binds tighter than `or`, and what follows a comma or mere
 *  juxtaposition is one operand to its end. */
import type { CompareOp, Predicate } from "./ast.ts";
import { parseIpRange } from "./ip.ts";
import type { Token } from "./lexer.ts";
import { isMatchOp, parseMatcherRest } from "./selectorParser.ts";
import type { TokenStream } from "./tokenStream.ts";

/** Parses a whole predicate. */
export function parsePredicate(stream: TokenStream): Predicate {
  return parseOperators(stream, 0);
}

/** Whether the operator compares a label in a filter. */
export function isFilterOp(token: Token): boolean {
  return token.kind === "operator" && (isMatchOp(token.text) || compareOps.has(token.text));
}

const compareOps: ReadonlyMap<string, CompareOp> = new Map<string, CompareOp>([
  ["=", "=="],
  ["==", "=="],
  ["!=", "!="],
  [">", ">"],
  [">=", ">="],
  ["<", "<"],
  ["<=", "<="],
]);

function parseOperators(stream: TokenStream, bindingMin: number): Predicate {
  const start = stream.peek().start;
  let left = parseOperand(stream);
  for (;;) {
    const operator = stream.peek();
    let op: "and" | "or";
    let right: Predicate;
    if (stream.at(",") || startsOperand(stream)) {
      stream.countOperator(operator);
      stream.take(",");
      op = "and";
      right = parseOperators(stream, 0);
    } else if (stream.atWord("and") && bindingMin < 2) {
      stream.countOperator(operator);
      stream.next();
      op = "and";
      right = parseOperators(stream, 2);
    } else if (stream.atWord("or") && bindingMin < 1) {
      stream.countOperator(operator);
      stream.next();
      op = "or";
      right = parseOperators(stream, 1);
    } else {
      return left;
    }
    left = { kind: "LogicalPredicate", op, left, right, span: stream.spanFrom(start) };
  }
}

function startsOperand(stream: TokenStream): boolean {
  if (stream.at("(")) return true;
  return stream.peek().kind === "word" && isFilterOp(stream.peek(1));
}

function parseOperand(stream: TokenStream): Predicate {
  if (stream.take("(")) {
    const inner = stream.nested(() => parseOperators(stream, 0));
    stream.expect(")", '"and", "or" or ")"');
    return inner;
  }
  const name = stream.expectName("a label filter such as status >= 500");
  const operator = stream.peek();
  if (!isFilterOp(operator)) throw stream.fail(comparisons, comparisonHint(stream));
  const value = stream.peek(1);
  if (value.kind === "string") {
    if (isMatchOp(operator.text)) return parseMatcherRest(stream, name);
    throw stream.fail('"=", "!=", "=~" or "!~" before a string', stringHint(stream, value));
  }
  if (stream.atWord("ip", 1) && stream.at("(", 2)) return parseIpPredicate(stream, name);
  stream.next();
  const op = compareOps.get(operator.text);
  if (op === undefined) throw stream.fail("a string", "a regex is compared with strings only");
  return parseComparison(stream, name, op);
}

const comparisons = "a comparison (=, !=, =~, !~, ==, >, >=, <, <=)";

function comparisonHint(stream: TokenStream): string | undefined {
  if (stream.at("-")) return 'label names are [A-Za-z_][A-Za-z0-9_]*; a dash is written "_"';
  if (stream.at("|~")) return 'did you mean "=~"?';
  if (stream.at("|=")) return 'did you mean "="?';
  return undefined;
}

function stringHint(stream: TokenStream, value: Token): string {
  return stream.at("==")
    ? 'did you mean "="?'
    : `to compare numbers, write ${
      value.text.slice(1, -1).slice(0, 20) || "the number"
    } without quotes`;
}

function parseIpPredicate(stream: TokenStream, name: Token): Predicate {
  const op = stream.peek().text;
  if (op !== "=" && op !== "!=") throw stream.fail('"=" or "!=" before ip(...)');
  stream.next();
  const value = parseIpCall(stream);
  return {
    kind: "IpPredicate",
    name: name.text,
    op,
    value,
    span: stream.spanFrom(name.start),
  };
}

/** `ip("10.0.0.0/8")`: the text within. */
export function parseIpCall(stream: TokenStream): string {
  stream.next();
  stream.expect("(");
  const token = stream.expectString("an address in quotes");
  if (parseIpRange(token.value) === null) {
    throw stream.complain(
      token,
      `invalid IP pattern ${token.text.slice(0, 60)}`,
      'write an address "10.0.0.1", a prefix "10.0.0.0/8" or a range "10.0.0.1-10.0.0.9"',
    );
  }
  stream.expect(")");
  return token.value;
}

function parseComparison(stream: TokenStream, name: Token, op: CompareOp): Predicate {
  const negative = stream.at("-");
  if ((negative || stream.at("+")) && stream.peek(1).kind !== "word") stream.next();
  const token = stream.peek();
  const label = name.text;
  const finish = () => {
    stream.next();
    return stream.spanFrom(name.start);
  };
  switch (token.kind) {
    case "number": {
      const value = negative ? -token.value : token.value;
      return { kind: "NumberPredicate", name: label, op, value, span: finish() };
    }
    case "duration": {
      const valueNs = negative ? -token.valueNs : token.valueNs;
      return { kind: "DurationPredicate", name: label, op, valueNs, span: finish() };
    }
    case "bytes":
      if (negative) throw stream.fail("a number or a duration", "sizes are not negative");
      return {
        kind: "BytesPredicate",
        name: label,
        op,
        valueBytes: token.valueBytes,
        span: finish(),
      };
    default:
      throw stream.fail(
        "a string, a number, a duration such as 5s, a size such as 20KB or ip(...)",
        token.kind === "word" ? `did you mean "${token.text}" in quotes?` : undefined,
      );
  }
}
