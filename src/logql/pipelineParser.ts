/** Parses what follows a selector: line filters, parsers, label filters and formats.
 *  labelFilterParser.ts owns predicates. Invariant: what parses can be compiled: regexes, patterns,
 *  paths, templates and addresses were read once. */
import { captureNames, compileLineRegex } from "../streams/regex.ts";
import type {
  Extraction,
  LabelAssignment,
  LabelMatcher,
  LabelName,
  LineFilter,
  LineFilterOp,
  LineFilterOperand,
  Stage,
} from "./ast.ts";
import { nearestWord } from "./error.ts";
import { foreignComparisons, foreignStages } from "./habits.ts";
import { parseJsonPath } from "./jsonPath.ts";
import { isFilterOp, parseIpCall, parsePredicate } from "./labelFilterParser.ts";
import type { Token } from "./lexer.ts";
import { patternFilterProblem, patternParserProblem } from "./patternSyntax.ts";
import { isMatchOp, parseMatcherRest, regexError } from "./selectorParser.ts";
import { compileTemplate, TemplateSyntaxError } from "./templates/mod.ts";
import type { StringToken, TokenStream } from "./tokenStream.ts";

/** Stages that stand alone, so that a line filter such as `!= "x"` may follow at once. A label of
 *  such a name is compared with `!=` only in parentheses. */
export const bareStages: ReadonlySet<string> = new Set(["json", "logfmt", "unpack", "decolorize"]);

/** Whether a stage comes next. */
export function atStage(stream: TokenStream): boolean {
  const token = stream.peek();
  return token.kind === "operator" && (token.text === "|" || isLineFilterOp(token.text));
}

/** One stage; `| unwrap` is the caller's. */
export function parseStage(stream: TokenStream): Stage {
  const start = stream.peek().start;
  if (!stream.take("|")) return parseLineFilter(stream);
  const word = stream.peek();
  if (stream.at("(") || isLabelFilter(stream)) {
    const predicate = parsePredicate(stream);
    return { kind: "LabelFilter", predicate, span: stream.spanFrom(start) };
  }
  const parser = word.kind === "word" ? stageParsers.get(word.text.toLowerCase()) : undefined;
  if (parser === undefined) throw unknownStage(stream, word);
  stream.next();
  return parser(stream, start);
}

function isLabelFilter(stream: TokenStream): boolean {
  if (stream.peek().kind !== "word" || !isFilterOp(stream.peek(1))) return false;
  const negative = stream.at("!=", 1) || stream.at("!~", 1);
  return !(negative && bareStages.has(stream.peek().text.toLowerCase()));
}

function unknownStage(stream: TokenStream, token: Token) {
  const expected = "a stage such as json, logfmt, line_format, or a label filter";
  if (token.kind === "string") return stream.fail(expected, `did you mean |= ${token.text}?`);
  if (token.kind !== "word") {
    const isSplit = stream.at("=") && stream.peek(1).kind === "string";
    return stream.fail(expected, isSplit ? `did you mean |= ${stream.peek(1).text}?` : undefined);
  }
  if (stream.atWord("unwrap")) {
    return stream.complain(
      token,
      "unwrap is only allowed within a range aggregation",
      "as in sum_over_time({...} | unwrap x [5m])",
    );
  }
  return stream.fail(expected, stageHint(token.text, stream.peek(1).text));
}

function stageHint(word: string, following: string): string | undefined {
  const foreign = foreignHint(foreignStages, word) ?? foreignHint(foreignComparisons, following);
  if (foreign !== undefined) return foreign;
  const nearest = nearestWord(word, [...stageParsers.keys(), "unwrap"]);
  return nearest === undefined ? undefined : `did you mean "${nearest}"?`;
}

function foreignHint(hints: Readonly<Record<string, string>>, word: string): string | undefined {
  return Object.hasOwn(hints, word.toLowerCase()) ? hints[word.toLowerCase()] : undefined;
}

// ---- line filters ----

function isLineFilterOp(text: string): text is LineFilterOp {
  return text === "|=" || text === "!=" || text === "|~" || text === "!~" || text === "|>" ||
    text === "!>";
}

function parseLineFilter(stream: TokenStream): LineFilter {
  const token = stream.next();
  const op = token.text as LineFilterOp;
  const operands = [parseOperand(stream, op)];
  while (stream.takeWord("or")) operands.push(parseOperand(stream, op));
  return { kind: "LineFilter", op, operands, span: stream.spanFrom(token.start) };
}

function parseOperand(stream: TokenStream, op: LineFilterOp): LineFilterOperand {
  const start = stream.peek().start;
  if (stream.atWord("ip") && stream.at("(", 1)) {
    if (op !== "|=" && op !== "!=") throw stream.fail('a string: ip(...) goes with "|=" and "!="');
    const value = parseIpCall(stream);
    return { kind: "LineFilterOperand", type: "ip", value, span: stream.spanFrom(start) };
  }
  if (isLineFilterOp(stream.peek().text) && stream.peek(1).kind === "string") {
    throw stream.fail(
      "a string or ip(...)",
      `the operator is not said again: or ${stream.peek(1).text}`,
    );
  }
  const token = stream.expectString("a string or ip(...)");
  if (op === "|~" || op === "!~") checkRegex(stream, token);
  if (op === "|>" || op === "!>") refuse(stream, token, patternFilterProblem(token.value));
  return {
    kind: "LineFilterOperand",
    type: "text",
    value: token.value,
    span: stream.spanFrom(start),
  };
}

function checkRegex(stream: TokenStream, token: StringToken): void {
  try {
    compileLineRegex(token.value);
  } catch (error) {
    throw regexError(stream, token, error);
  }
}

function checkTemplate(stream: TokenStream, token: StringToken): void {
  try {
    compileTemplate(token.value);
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    throw stream.complain(token, `invalid template ${token.text}: ${error.reason}`);
  }
}

function refuse(stream: TokenStream, token: StringToken, problem: string | null): void {
  if (problem !== null) throw stream.complain(token, `invalid pattern ${token.text}: ${problem}`);
}

// ---- the stages that have a name ----

type StageParser = (stream: TokenStream, start: number) => Stage;

const stageParsers: ReadonlyMap<string, StageParser> = new Map<string, StageParser>([
  ["json", parseJson],
  ["logfmt", parseLogfmt],
  ["pattern", parsePatternStage],
  ["regexp", parseRegexp],
  ["unpack", (stream, start) => ({ kind: "UnpackParser", span: stream.spanFrom(start) })],
  ["line_format", parseLineFormat],
  ["label_format", parseLabelFormat],
  ["decolorize", (stream, start) => ({ kind: "Decolorize", span: stream.spanFrom(start) })],
  ["drop", (stream, start) => {
    const labels = parseLabelNames(stream);
    return { kind: "DropLabels", labels, span: stream.spanFrom(start) };
  }],
  ["keep", (stream, start) => {
    const labels = parseLabelNames(stream);
    return { kind: "KeepLabels", labels, span: stream.spanFrom(start) };
  }],
]);

function parseJson(stream: TokenStream, start: number): Stage {
  const extractions = parseExtractions(stream, (token) => {
    const path = parseJsonPath(token.value);
    if (typeof path === "string") {
      throw stream.complain(token, `invalid json expression ${token.text}: ${path}`);
    }
  });
  return { kind: "JsonParser", extractions, span: stream.spanFrom(start) };
}

function parseLogfmt(stream: TokenStream, start: number): Stage {
  let strict = false;
  let keepEmpty = false;
  for (let token = stream.peek(); token.kind === "flag"; token = stream.peek()) {
    if (token.text === "--strict") strict = true;
    else if (token.text === "--keep-empty") keepEmpty = true;
    else throw stream.fail("--strict or --keep-empty");
    stream.next();
  }
  const extractions = parseExtractions(stream, (token) => {
    if (token.value === "") throw stream.complain(token, "invalid logfmt expression: it is empty");
  });
  return { kind: "LogfmtParser", strict, keepEmpty, extractions, span: stream.spanFrom(start) };
}

function parseExtractions(
  stream: TokenStream,
  check: (token: StringToken) => void,
): ReadonlyArray<Extraction> {
  const extractions: Extraction[] = [];
  if (stream.peek().kind !== "word") return extractions;
  do {
    const name = stream.expectName("a label name");
    let expression = name.text;
    if (stream.take("=")) {
      const token = stream.expectString("an expression in quotes");
      check(token);
      expression = token.value;
    }
    const span = stream.spanFrom(name.start);
    extractions.push({ kind: "Extraction", name: name.text, expression, span });
  } while (stream.take(","));
  return extractions;
}

function parsePatternStage(stream: TokenStream, start: number): Stage {
  const token = stream.expectString('a pattern in quotes, such as "<ip> <_>"');
  refuse(stream, token, patternParserProblem(token.value));
  return { kind: "PatternParser", pattern: token.value, span: stream.spanFrom(start) };
}

function parseRegexp(stream: TokenStream, start: number): Stage {
  const token = stream.expectString("a regular expression in quotes");
  let names: ReadonlyArray<string>;
  try {
    names = captureNames(token.value).filter((name) => name !== "");
  } catch (error) {
    throw regexError(stream, token, error);
  }
  if (names.length === 0) {
    throw stream.complain(
      token,
      "at least one named capture must be supplied",
      "as in (?P<status>\\d+)",
    );
  }
  const bad = names.find((name) => /^\d/.test(name));
  if (bad !== undefined) {
    throw stream.complain(
      token,
      `invalid extracted label name "${bad}"`,
      "a name may not start with a digit",
    );
  }
  return { kind: "RegexpParser", regex: token.value, span: stream.spanFrom(start) };
}

function parseLineFormat(stream: TokenStream, start: number): Stage {
  const token = stream.expectString("a template in quotes");
  checkTemplate(stream, token);
  return { kind: "LineFormat", template: token.value, span: stream.spanFrom(start) };
}

function parseLabelFormat(stream: TokenStream, start: number): Stage {
  const assignments: LabelAssignment[] = [];
  const seen = new Set<string>();
  do {
    const name = stream.expectName("a label name");
    if (name.text === "__error__") throw stream.complain(name, "__error__ cannot be formatted");
    if (seen.has(name.text)) {
      throw stream.complain(
        name,
        `multiple label name '${name.text}' not allowed in a single format operation`,
        "put the second one into a stage of its own",
      );
    }
    seen.add(name.text);
    stream.expect("=");
    const source = stream.peek();
    if (source.kind !== "word" && source.kind !== "string") {
      throw stream.fail("a label name or a template in quotes");
    }
    stream.next();
    if (source.kind === "string") checkTemplate(stream, source);
    assignments.push({
      kind: "LabelAssignment",
      name: name.text,
      type: source.kind === "word" ? "rename" : "template",
      source: source.kind === "word" ? source.text : source.value,
      span: stream.spanFrom(name.start),
    });
  } while (stream.take(","));
  return { kind: "LabelFormat", assignments, span: stream.spanFrom(start) };
}

function parseLabelNames(stream: TokenStream): ReadonlyArray<LabelName | LabelMatcher> {
  const labels: (LabelName | LabelMatcher)[] = [];
  do {
    const name = stream.expectName("a label name");
    // A negative operator without a string after it, or one before a line filter, cannot be told
    // apart: it is a matcher.
    const matcher = stream.peek().kind === "operator" && isMatchOp(stream.peek().text);
    labels.push(
      matcher
        ? parseMatcherRest(stream, name)
        : { kind: "LabelName", name: name.text, span: stream.spanFrom(name.start) },
    );
  } while (stream.take(","));
  return labels;
}
