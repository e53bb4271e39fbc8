/** Parses stream selectors, `{app="web", env!="dev"}`, and single matchers. streams/matcher.ts owns
 *  what a matcher accepts. Invariant: a matcher that parses can be made. */
import { makeMatcher } from "../streams/matcher.ts";
import { RegexInvalid } from "../streams/regex.ts";
import type { LabelMatcher, MatchOp, Selector } from "./ast.ts";
import type { ParseError } from "./error.ts";
import type { StringToken, TokenStream } from "./tokenStream.ts";

/** Matchers of one selector: each may be a regex, and compiling one takes time. */
const matchersMax = 100;

/** Parses `{...}`. Unless `allowAll`, one matcher at least must refuse the empty value, so that no
 *  query reads everything. */
export function parseSelector(stream: TokenStream, allowAll: boolean): Selector {
  const start = stream.expect("{", 'a stream selector such as {app="web"}').start;
  const matchers: LabelMatcher[] = [];
  if (!stream.take("}")) {
    do {
      if (matchers.length >= matchersMax) {
        throw stream.fail(`at most ${matchersMax} matchers`, 'join values with a regex: a=~"b|c"');
      }
      matchers.push(selectorMatcher(stream, matchers.length > 0));
    } while (stream.take(","));
    stream.expect("}", '"," or "}"', missingCommaHint(stream));
  }
  const selector: Selector = { kind: "Selector", matchers, span: stream.spanFrom(start) };
  if (!allowAll && !narrows(selector)) {
    throw stream.complain(
      selector.span,
      "queries require at least one regexp or equality matcher that does not have an empty-compatible value",
      'add one that a stream without the label fails: app=~".+" does, app=~".*" and app!="x" do not',
    );
  }
  return selector;
}

/** Whether a token could be the operator of a matcher. */
export function isMatchOp(text: string): text is MatchOp {
  return text === "=" || text === "!=" || text === "=~" || text === "!~";
}

/** The matcher of a name that was just read, its operator coming next. */
export function parseMatcherRest(
  stream: TokenStream,
  name: { readonly text: string; readonly start: number },
): LabelMatcher {
  const op = stream.peek().text;
  if (stream.peek().kind !== "operator" || !isMatchOp(op)) {
    throw stream.fail('"=", "!=", "=~" or "!~"', matchOpHint(stream));
  }
  stream.next();
  const value = stream.expectString("a string");
  checkMatcher(stream, name.text, op, value);
  return {
    kind: "LabelMatcher",
    name: name.text,
    op,
    value: value.value,
    span: stream.spanFrom(name.start),
  };
}

/** The ParseError that stands for a RegexInvalid at a string; any other error is thrown on. */
export function regexError(stream: TokenStream, at: StringToken, error: unknown): ParseError {
  if (!(error instanceof RegexInvalid)) throw error;
  return stream.complain(at, error.message);
}

function selectorMatcher(stream: TokenStream, afterComma: boolean): LabelMatcher {
  const hint = afterComma && stream.at("}") ? "a trailing comma is not allowed" : undefined;
  if (stream.peek().kind !== "word") {
    if (hint !== undefined) throw stream.fail("a label name", hint);
    if (!afterComma) throw stream.fail('a label name or "}"', nameHint(stream));
  }
  return parseMatcherRest(stream, stream.expectName("a label name"));
}

function nameHint(stream: TokenStream): string | undefined {
  return stream.peek().kind === "string" ? "names are written without quotes" : undefined;
}

function matchOpHint(stream: TokenStream): string | undefined {
  if (stream.at("==")) return 'did you mean "="?';
  if (stream.at("|=") || stream.at("|~")) {
    return 'line filters follow the selector: {...} |= "text"';
  }
  if (stream.at("-")) return 'label names are [A-Za-z_][A-Za-z0-9_]*; a dash is written "_"';
  if (stream.at("}") || stream.at(",")) return 'to ask that the label is there, write name!=""';
  return undefined;
}

function missingCommaHint(stream: TokenStream): string | undefined {
  const token = stream.peek();
  if (token.kind === "end") return "the selector is not closed";
  if (stream.atWord("and")) return 'matchers are joined by ","';
  if (stream.atWord("or")) return 'alternatives are written =~"a|b"';
  return token.kind === "word" ? 'matchers are joined by ","' : undefined;
}

function checkMatcher(stream: TokenStream, name: string, op: MatchOp, value: StringToken): void {
  try {
    makeMatcher(name, op, value.value);
  } catch (error) {
    throw regexError(stream, value, error);
  }
}

function narrows(selector: Selector): boolean {
  // Most selectors have an equality matcher, which spares compiling regexes once more.
  return selector.matchers.some(({ op, value }) => op === "=" && value !== "") ||
    selector.matchers.some(({ name, op, value }) => !makeMatcher(name, op, value).matchesEmpty);
}
