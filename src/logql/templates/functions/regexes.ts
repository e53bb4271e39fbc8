/** Functions of regular expressions: RE2's syntax, Go's rules for matches and for `$1` and `${name}`
 *  in a replacement. */
import { compileTextRegex, RegexInvalid, type TextRegex } from "../../../streams/regex.ts";
import { TemplateFailed } from "../error.ts";
import { checkLength } from "../limits.ts";
import { type CallSite, type FunctionTable, siteFunction } from "./templateFunction.ts";

export const regexes: FunctionTable = new Map([
  [
    "regexReplaceAll",
    siteFunction(["string", "string", "string"], (site, pattern, text, by) => {
      const parts = replacementParts(by);
      return replaceAll(site, pattern, text, (match, regex) => {
        let replacement = "";
        for (const part of parts) {
          replacement += typeof part === "string"
            ? part
            : groupText(match, regex, text, part.group);
        }
        return replacement;
      });
    }),
  ],
  [
    "regexReplaceAllLiteral",
    siteFunction(
      ["string", "string", "string"],
      (site, pattern, text, by) => replaceAll(site, pattern, text, () => by),
    ),
  ],
  [
    "count",
    siteFunction(["string", "string"], (site, pattern, text) => {
      let count = 0n;
      for (const _match of matches(site, regexOf(pattern), text)) count++;
      return count;
    }),
  ],
]);

function replaceAll(
  site: CallSite,
  pattern: string,
  text: string,
  replacement: (match: Int32Array, regex: TextRegex) => string,
): string {
  const regex = regexOf(pattern);
  let result = "";
  let end = 0;
  for (const match of matches(site, regex, text)) {
    result += text.slice(end, match[0]) + replacement(match, regex);
    checkLength(result.length);
    end = match[1]!;
  }
  return result + text.slice(end);
}

/** From left to right as Go finds them: they do not overlap, and none is empty right after another.
 *  Searching is dearer than what else functions do, and is paid for. */
function* matches(site: CallSite, regex: TextRegex, text: string): Iterable<Int32Array> {
  site.budget.spend(text.length);
  let from = 0;
  let lastEnd = -1;
  while (from <= text.length) {
    const match = regex.find(text, from);
    if (match === null) break;
    site.budget.spend(1);
    const start = match[0]!;
    const end = match[1]!;
    if (end > start || start !== lastEnd) yield match;
    lastEnd = end;
    // Past an empty match goes one whole character.
    from = end > from ? end : from + ((text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1);
  }
}

/** The text of a group by name or number; "" if it took no part or there is none. */
function groupText(match: Int32Array, regex: TextRegex, text: string, group: string): string {
  const index = /^\d+$/.test(group) ? Number(group) : regex.names.indexOf(group) + 1;
  // Group 0 is the match, and has no name.
  if (index === 0 && group !== "0") return "";
  const start = match[2 * index] ?? -1;
  return start < 0 ? "" : text.slice(start, match[2 * index + 1]);
}

type ReplacementPart = string | { readonly group: string };

/** `$name` takes as many letters, digits and underscores as there are; `$$` is a dollar; a `$` before
 *  anything else stands for itself. */
function replacementParts(text: string): ReadonlyArray<ReplacementPart> {
  const parts: ReplacementPart[] = [];
  let end = 0;
  for (const match of text.matchAll(/\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu)) {
    parts.push(text.slice(end, match.index));
    const group = match[2] ?? match[3];
    parts.push(group === undefined ? "$" : { group });
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

const regexesMax = 64;
const compiled = new Map<string, TextRegex>();

/** Patterns are nearly always constants, so few are kept for many entries. */
function regexOf(pattern: string): TextRegex {
  let regex = compiled.get(pattern);
  if (regex === undefined) {
    if (compiled.size >= regexesMax) compiled.clear();
    try {
      regex = compileTextRegex(pattern);
    } catch (error) {
      if (error instanceof RegexInvalid) throw new TemplateFailed(error.message);
      throw error;
    }
    compiled.set(pattern, regex);
  }
  return regex;
}
