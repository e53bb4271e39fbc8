/** The front door of the parser: whole queries and bare selectors, with the limit on their size.
 *  The grammar is in the *Parser.ts files beside it. Invariant: what comes back is a tree that can
 *  be executed, or an error with a position. */
import { Result } from "effect";
import type { Matcher } from "../streams/matcher.ts";
import type { Expr, LogQuery, MetricExpr } from "./ast.ts";
import { ParseError } from "./error.ts";
import { parseExpression } from "./metricParser.ts";
import { selectorMatchers } from "./pipelinePlan.ts";
import { parseSelector } from "./selectorParser.ts";
import { TokenStream } from "./tokenStream.ts";

/** Longest query in UTF-8 bytes, as in Loki. */
export const queryBytesMax = 131_072;

/** Parses a query of either type. */
export function parse(query: string): Result.Result<Expr, ParseError> {
  return attempt(query, (stream) => {
    const expr = parseExpression(stream);
    expectEnd(stream, expr);
    return expr;
  });
}

/** Parses a query that must return lines, as tail does. */
export function parseLogQuery(query: string): Result.Result<LogQuery, ParseError> {
  return Result.flatMap(
    parse(query),
    (expr) =>
      expr.kind === "LogQuery" ? Result.succeed(expr) : Result.fail(
        new ParseError(query, {
          offset: expr.span.start,
          expected: "only log selector is supported: this is a metric query",
        }),
      ),
  );
}

/** Parses a query that must return samples. */
export function parseMetricQuery(query: string): Result.Result<MetricExpr, ParseError> {
  return Result.flatMap(
    parse(query),
    (expr) =>
      expr.kind !== "LogQuery" ? Result.succeed(expr) : Result.fail(
        new ParseError(query, {
          offset: expr.span.start,
          expected: "only metric queries are supported: this is a log query",
          hint: "wrap it as in count_over_time({...}[5m])",
        }),
      ),
  );
}

/** Parses a selector without a pipeline, for the series, labels and volume endpoints. `{}` and the
 *  empty text mean all. */
export function parseMatchers(text: string): Result.Result<ReadonlyArray<Matcher>, ParseError> {
  return attempt(text, (stream) => {
    if (stream.peek().kind === "end") return [];
    const selector = parseSelector(stream, true);
    if (stream.peek().kind !== "end") {
      throw stream.fail("end of query", "only label matchers are supported here, no pipeline");
    }
    return selectorMatchers(selector);
  });
}

function attempt<A>(
  text: string,
  parser: (stream: TokenStream) => A,
): Result.Result<A, ParseError> {
  // Text that UTF-8 cannot carry would not match the bytes of any line.
  const query = text.toWellFormed();
  try {
    const bytes = utf8Bytes(query);
    if (bytes > queryBytesMax) {
      throw new ParseError(query, {
        offset: 0,
        expected: `input size too long (${bytes} > ${queryBytesMax})`,
        hint: "split the query",
      });
    }
    return Result.succeed(parser(new TokenStream(query)));
  } catch (error) {
    if (error instanceof ParseError) return Result.fail(error);
    throw error;
  }
}

function utf8Bytes(query: string): number {
  return query.length > queryBytesMax ? query.length : new TextEncoder().encode(query).length;
}

function expectEnd(stream: TokenStream, expr: Expr): void {
  const token = stream.peek();
  if (token.kind === "end") return;
  if (expr.kind !== "LogQuery") {
    throw stream.fail("an operator or end of query", metricHint(stream));
  }
  throw stream.fail("a line filter, a stage or end of query", pipelineHint(stream));
}

/** What was probably meant after a metric query. */
function metricHint(stream: TokenStream): string | undefined {
  const word = ["on", "ignoring", "group_left", "group_right", "bool"].find((word) =>
    stream.atWord(word)
  );
  return word === undefined ? undefined : `${word} follows the operator, as in a / on (app) b`;
}

/** What was probably meant after a selector. */
function pipelineHint(stream: TokenStream): string | undefined {
  const token = stream.peek();
  const previous = stream.peek(-1);
  if (
    token.kind === "word" && previous.kind === "number" &&
    /^[kmgtp]i?b$|^[num]?s$|^[mhdw]$/i.test(token.text)
  ) {
    return `a unit follows its number at once: ${previous.text}${token.text}`;
  }
  const following = stream.peek(1).text.slice(0, 60);
  if (token.kind === "string") return `did you mean |= ${token.text.slice(0, 60)}?`;
  if (token.kind === "range") return "a range goes into an aggregation: rate({...}[5m])";
  if (token.kind === "word") {
    return `a stage follows a "|": did you mean | ${token.text.slice(0, 60)}?`;
  }
  if (stream.at("=") || stream.at("==")) return `did you mean |= ${following}?`;
  if (stream.at("=~")) return `did you mean |~ ${following}?`;
  if (stream.at("{")) return "a query has one selector; matchers are joined within it";
  return undefined;
}
