// What the caret stands at in a half written query, and so what may be completed there. completions.ts owns the offers.
// Invariant: `from` to the caret is the text that an offer replaces.
import { type Token, tokensOf } from "./tokens.ts";

export type Place =
  | { readonly kind: "expression"; readonly from: number }
  | { readonly kind: "labelName"; readonly from: number }
  | {
    readonly kind: "labelValue";
    readonly from: number;
    readonly name: string;
    readonly quote: string;
  }
  | { readonly kind: "stage"; readonly from: number }
  | {
    readonly kind: "fieldValue";
    readonly from: number;
    readonly name: string;
    readonly quote: string;
  }
  | { readonly kind: "grouping"; readonly from: number }
  | { readonly kind: "pipeline"; readonly from: number }
  | { readonly kind: "range"; readonly from: number }
  | { readonly kind: "nothing" };

/** The place at the end of `before`, the query's text up to the caret. */
export function placeAt(before: string): Place {
  const tokens = tokensOf(before);
  const last = tokens.at(-1);
  if (last?.kind === "comment") return { kind: "nothing" };
  const frame = openFrame(tokens);
  if (last?.kind === "unclosed") return stringPlace(tokens, frame);
  const isWord = last !== undefined && last.end === before.length && /^[A-Za-z_]/.test(last.text);
  const from = isWord ? last.start : before.length;
  const previous = isWord ? tokens.at(-2) : last;
  if (frame === "{") {
    const begins = previous?.text === "{" || previous?.text === ",";
    return begins ? { kind: "labelName", from } : { kind: "nothing" };
  }
  if (frame === "[") return { kind: "range", from: rangeStart(before) };
  if (frame === "grouping") return { kind: "grouping", from };
  if (previous === undefined || previous.text === "(" || previous.text === ",") {
    return { kind: "expression", from };
  }
  if (previous.text === "|") return { kind: "stage", from };
  if (previous.text === "unwrap" || previous.text === "drop" || previous.text === "keep") {
    return { kind: "grouping", from };
  }
  if (["and", "or"].includes(previous.text) && afterSelector(tokens)) {
    return { kind: "stage", from };
  }
  if (previous.kind === "operator") return arithmeticPlace(tokens, from);
  if (!isWord && afterSelector(tokens)) return { kind: "pipeline", from };
  return { kind: "nothing" };
}

/** The innermost bracket that is open: a brace, a range, the parenthesis of `by` and its like, or another parenthesis. */
function openFrame(tokens: readonly Token[]): "{" | "(" | "[" | "grouping" | "" {
  const open: ("{" | "(" | "[" | "grouping")[] = [];
  for (const [i, { kind, text }] of tokens.entries()) {
    if (kind !== "bracket") continue;
    if (text === "(") {
      const before = tokens[i - 1]?.text ?? "";
      const groups = /^(by|without|on|ignoring|group_left|group_right)$/.test(before);
      open.push(groups ? "grouping" : "(");
    } else if (text === "{" || text === "[") open.push(text);
    else if (text !== ",") open.pop();
  }
  return open.at(-1) ?? "";
}

function stringPlace(tokens: readonly Token[], frame: string): Place {
  const [name, operator, string] = tokens.slice(-3);
  if (name === undefined || operator === undefined || string === undefined) {
    return { kind: "nothing" };
  }
  const compares = /^(=|!=|=~|!~|==)$/.test(operator.text) && name.kind === "name";
  if (!compares) return { kind: "nothing" };
  const quote = string.text[0] ?? '"';
  const kind = frame === "{" ? "labelValue" : "fieldValue";
  return { kind, from: string.start + 1, name: name.text, quote };
}

function arithmeticPlace(tokens: readonly Token[], from: number): Place {
  return afterSelector(tokens) ? { kind: "nothing" } : { kind: "expression", from };
}

/** Whether a selector was closed and no bracket since: then stages may come. */
function afterSelector(tokens: readonly Token[]): boolean {
  for (let i = tokens.length - 1; i >= 0; i--) {
    const { text, kind } = tokens[i] as Token;
    if (text === "}") return true;
    if (kind === "bracket" && text !== ",") return false;
    if (kind === "number" && text.startsWith("[")) return false;
  }
  return false;
}

function rangeStart(before: string): number {
  return before.lastIndexOf("[") + 1;
}
