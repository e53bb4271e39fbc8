/** Cuts a template into text and the tokens between `{{` and `}}`, as Go's text/template does: trim
 *  markers take white space of the text beside them away, comments vanish. */
import { TemplateSyntaxError } from "./error.ts";
import { quotedValue } from "./literals.ts";

export type TokenKind =
  | "text"
  | "open"
  | "close"
  | "word"
  | "field"
  | "variable"
  | "number"
  | "char"
  | "string"
  | "symbol"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written; of a text what is left after trimming, of a field and a string its value. */
  readonly text: string;
  /** UTF-16 offset into the template. */
  readonly at: number;
  /** Whether white space stands in front of it. */
  readonly spaced: boolean;
}

/** Throws TemplateSyntaxError. */
export function tokenize(template: string): ReadonlyArray<Token> {
  const tokens: Token[] = [];
  let at = 0;
  let trimsStart = false;
  for (;;) {
    const open = template.indexOf("{{", at);
    let text = open < 0 ? template.slice(at) : template.slice(at, open);
    if (trimsStart) text = text.replace(/^[ \t\r\n]+/, "");
    const trimsEnd = open >= 0 && /^-[ \t\r\n]/.test(template.slice(open + 2, open + 4));
    if (trimsEnd) text = trimmedEnd(text);
    if (text !== "") tokens.push({ kind: "text", text, at, spaced: false });
    if (open < 0) break;
    const start = open + (trimsEnd ? 3 : 2);
    const comment = commentEnd(template, open, start);
    const action = comment ?? actionTokens(template, open, start, tokens);
    at = action.end;
    trimsStart = action.trims;
  }
  tokens.push({ kind: "end", text: "", at: template.length, spaced: false });
  return tokens;
}

interface ActionEnd {
  readonly end: number;
  readonly trims: boolean;
}

/** A loop, since a regex for trailing space is quadratic in the space. */
function trimmedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && " \t\r\n".includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}

function commentEnd(template: string, open: number, start: number): ActionEnd | null {
  const at = start + (/^[ \t\r\n]*/.exec(template.slice(start, start + 1))![0].length);
  // A comment follows the braces at once, or the trim marker and its space.
  if (!template.startsWith("/*", at)) return null;
  const close = template.indexOf("*/", at + 2);
  if (close < 0) throw new TemplateSyntaxError(template, open, 'comment is not closed with "*/"');
  const end = /^(?:[ \t\r\n]-)?\}\}/.exec(template.slice(close + 2, close + 6));
  if (end === null) {
    throw new TemplateSyntaxError(template, close + 2, 'expected "}}" right after a comment');
  }
  return { end: close + 2 + end[0].length, trims: end[0].length > 2 };
}

const forms: ReadonlyArray<readonly [TokenKind, RegExp]> = [
  ["number", /[+-]?(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/y],
  ["field", /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["variable", /\$(?:[\p{L}_][\p{L}\p{Nd}_]*)?/uy],
  ["word", /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["char", /'(?:[^'\\\n]|\\.)+'/y],
  ["symbol", /:=|[=|,().]/y],
];

function actionTokens(
  template: string,
  open: number,
  start: number,
  tokens: Token[],
): ActionEnd {
  tokens.push({ kind: "open", text: "{{", at: open, spaced: false });
  let at = start;
  for (;;) {
    const space = matchAt(/[ \t\r\n]*/y, template, at)!;
    at += space.length;
    const spaced = space !== "";
    const close = matchAt(spaced ? /-?\}\}/y : /\}\}/y, template, at);
    if (close !== null) {
      tokens.push({ kind: "close", text: "}}", at, spaced });
      return { end: at + close.length, trims: close.length > 2 };
    }
    if (at >= template.length) {
      throw new TemplateSyntaxError(template, open, '"{{" is not closed with "}}"');
    }
    const token = tokenAt(template, at, spaced);
    tokens.push(token.token);
    at = token.end;
  }
}

function tokenAt(template: string, at: number, spaced: boolean): { token: Token; end: number } {
  const first = template[at]!;
  if (first === '"' || first === "`") {
    const { value, end } = quotedValue(template, at);
    return { token: { kind: "string", text: value, at, spaced }, end };
  }
  for (const [kind, form] of forms) {
    const match = matchAt(form, template, at);
    if (match === null || match === "") continue;
    const text = kind === "field" ? match.slice(1) : match;
    return { token: { kind, text, at, spaced }, end: at + match.length };
  }
  const character = String.fromCodePoint(template.codePointAt(at)!);
  throw new TemplateSyntaxError(
    template,
    at,
    `unexpected ${JSON.stringify(character)} in an action`,
  );
}

function matchAt(form: RegExp, template: string, at: number): string | null {
  form.lastIndex = at;
  return form.exec(template)?.[0] ?? null;
}
