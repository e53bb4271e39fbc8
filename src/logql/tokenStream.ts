/** The cursor that all parsers of this folder share: looking ahead, taking, refusing, and the
 *  limits on nesting that keep recursion over a tree off the end of the stack. Invariant: `fail`
 *  blames the next token. */
import type { Span } from "./ast.ts";
import { ParseError } from "./error.ts";
import { describeToken, type Token, tokenize } from "./lexer.ts";

/** How deep parentheses and functions may nest. */
export const nestingMax = 128;
/** How many binary operators a query may have, in all its expressions and label filters. */
export const operatorsMax = 1000;

export type StringToken = Extract<Token, { kind: "string" }>;

export class TokenStream {
  readonly query: string;
  private readonly tokens: ReadonlyArray<Token>;
  private index = 0;
  private nesting = 0;
  private operators = 0;

  /** Throws ParseError if the query does not split into tokens. */
  constructor(query: string) {
    this.query = query;
    this.tokens = tokenize(query);
  }

  /** The next token, or the one that many after it. */
  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.index + ahead, this.tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.peek();
    if (token.kind !== "end") this.index++;
    return token;
  }

  /** Whether an operator comes next. */
  at(operator: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === "operator" && token.text === operator;
  }

  /** Whether a word comes next, in upper or lower case. */
  atWord(word: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === "word" && token.text.toLowerCase() === word;
  }

  /** Takes the operator if it comes next. */
  take(operator: string): boolean {
    if (!this.at(operator)) return false;
    this.index++;
    return true;
  }

  takeWord(word: string): boolean {
    if (!this.atWord(word)) return false;
    this.index++;
    return true;
  }

  expect(operator: string, expected = `"${operator}"`, hint?: string): Token {
    if (!this.at(operator)) throw this.fail(expected, hint);
    return this.next();
  }

  expectString(expected: string): StringToken {
    const token = this.peek();
    if (token.kind === "string") {
      this.index++;
      return token;
    }
    const hint = token.kind === "word" || token.kind === "number"
      ? `did you mean "${token.text}" in quotes?`
      : undefined;
    throw this.fail(expected, hint);
  }

  expectName(expected: string): Token {
    const token = this.peek();
    if (token.kind !== "word") {
      throw this.fail(
        expected,
        token.kind === "string" ? "names are written without quotes" : undefined,
      );
    }
    this.index++;
    return token;
  }

  /** `(a, b)`; empty is allowed. */
  labelList(): ReadonlyArray<string> {
    const name = this.peek();
    this.expect(
      "(",
      undefined,
      name.kind === "word" ? `labels stand in parentheses: (${name.text})` : undefined,
    );
    const labels: string[] = [];
    if (this.take(")")) return labels;
    do {
      labels.push(
        this.expectName(labels.length === 0 ? 'a label name or ")"' : "a label name").text,
      );
    } while (this.take(","));
    this.expect(")", '"," or ")"');
    return labels;
  }

  /** The error that the next token is not what was expected. */
  fail(expected: string, hint?: string): ParseError {
    const token = this.peek();
    return new ParseError(this.query, {
      offset: token.start,
      found: describeToken(token),
      expected,
      hint,
    });
  }

  /** The error that something already read means nothing. */
  complain(at: { readonly start: number }, complaint: string, hint?: string): ParseError {
    return new ParseError(this.query, { offset: at.start, expected: complaint, hint });
  }

  /** From a start to the end of the token taken last. */
  spanFrom(start: number): Span {
    return { start, end: this.index === 0 ? start : this.tokens[this.index - 1]!.end };
  }

  /** Runs a parser one level deeper. */
  nested<A>(parser: () => A): A {
    if (++this.nesting > nestingMax) {
      throw this.complain(
        this.peek(),
        `nested deeper than ${nestingMax} levels`,
        "simplify the query",
      );
    }
    const result = parser();
    this.nesting--;
    return result;
  }

  /** Counts a binary operator. */
  countOperator(at: Token): void {
    if (++this.operators > operatorsMax) {
      throw this.complain(
        at,
        `more than ${operatorsMax} operators in one query`,
        'use a regex such as =~ "a|b" instead of many comparisons',
      );
    }
  }
}
