/** Parses what a range aggregation works on: a log query with a window, `{...} | unwrap x [5m]
 *  offset 1h`, in every order that Loki takes. Invariant: exactly one selector and one window. */
import type { LabelFilter, LogRange, Selector, Span, Stage, Unwrap } from "./ast.ts";
import { atStage, parseStage } from "./pipelineParser.ts";
import { parseSelector } from "./selectorParser.ts";
import type { TokenStream } from "./tokenStream.ts";

/** Parses a log range, parenthesised or not. */
export function parseLogRange(stream: TokenStream): LogRange {
  const start = stream.peek().start;
  const parts = parseParts(stream);
  if (parts.rangeNs === null) {
    throw stream.fail(
      "a range such as [5m]",
      stream.at(")") ? "add [5m] or [$__auto] before it" : undefined,
    );
  }
  return {
    kind: "LogRange",
    selector: parts.selector,
    pipeline: parts.pipeline,
    unwrap: parts.unwrap,
    rangeNs: parts.rangeNs,
    offsetNs: parts.offsetNs ?? 0n,
    span: stream.spanFrom(start),
  };
}

interface Parts {
  readonly selector: Selector;
  readonly pipeline: Stage[];
  unwrap: Unwrap | null;
  rangeNs: bigint | null;
  offsetNs: bigint | null;
}

function parseParts(stream: TokenStream): Parts {
  let parts: Parts;
  if (stream.take("(")) {
    parts = stream.nested(() => parseParts(stream));
    stream.expect(")", 'a range such as [5m], a stage or ")"');
  } else {
    if (!stream.at("{")) {
      throw stream.fail('a log query such as {app="web"}', metricHint(stream));
    }
    const selector = parseSelector(stream, false);
    parts = { selector, pipeline: [], unwrap: null, rangeNs: null, offsetNs: null };
  }
  while (parsePart(stream, parts));
  return parts;
}

function metricHint(stream: TokenStream): string | undefined {
  return stream.peek().kind === "word"
    ? "a range aggregation takes log lines, not the result of another function"
    : undefined;
}

function parsePart(stream: TokenStream, parts: Parts): boolean {
  const token = stream.peek();
  if (token.kind === "range") {
    if (parts.rangeNs !== null) throw stream.fail('")"', "a second range is not allowed");
    parts.rangeNs = token.valueNs;
    stream.next();
    return true;
  }
  if (stream.atWord("offset")) {
    if (parts.rangeNs === null) throw stream.fail("a range such as [5m] before the offset");
    if (parts.offsetNs !== null) throw stream.fail('")"', "a second offset is not allowed");
    stream.next();
    parts.offsetNs = parseOffset(stream);
    return true;
  }
  if (!atStage(stream)) return false;
  if (parts.unwrap !== null) {
    parts.unwrap = withFilter(stream, parts.unwrap);
  } else if (stream.at("|") && stream.atWord("unwrap", 1) && stream.peek(2).kind === "word") {
    parts.unwrap = parseUnwrap(stream);
  } else {
    parts.pipeline.push(parseStage(stream));
  }
  return true;
}

function parseOffset(stream: TokenStream): bigint {
  const negative = stream.take("-");
  const token = stream.peek();
  if (token.kind !== "duration") {
    throw stream.fail(
      "a duration such as 5m",
      token.kind === "number" ? `a unit is missing: did you mean ${token.text}s?` : undefined,
    );
  }
  stream.next();
  return negative ? -token.valueNs : token.valueNs;
}

const conversions = ["bytes", "duration", "duration_seconds"] as const;

function parseUnwrap(stream: TokenStream): Unwrap {
  const start = stream.next().start;
  stream.next();
  const name = stream.expectName("a label name");
  if (!stream.take("(")) {
    const span = stream.spanFrom(start);
    return { kind: "Unwrap", label: name.text, conversion: null, filters: [], span };
  }
  const conversion = conversions.find((known) => known === name.text.toLowerCase());
  if (conversion === undefined) {
    throw stream.complain(
      name,
      `unknown conversion "${name.text}"`,
      "unwrap knows bytes(), duration() and duration_seconds()",
    );
  }
  const label = stream.expectName("a label name").text;
  stream.expect(")");
  return { kind: "Unwrap", label, conversion, filters: [], span: stream.spanFrom(start) };
}

function withFilter(stream: TokenStream, unwrap: Unwrap): Unwrap {
  const start = stream.peek().start;
  const stage = parseStage(stream);
  if (stage.kind !== "LabelFilter") {
    throw stream.complain(
      { start },
      "only label filters may follow unwrap",
      "put other stages in front of it",
    );
  }
  const filters: ReadonlyArray<LabelFilter> = [...unwrap.filters, stage];
  const span: Span = { start: unwrap.span.start, end: stage.span.end };
  return { ...unwrap, filters, span };
}
