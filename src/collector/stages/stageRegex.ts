/** Regular expressions of stages: RE2's as elsewhere (src/streams/regex.ts), with mistakes told in
 *  the words of a configuration. */
import { compileTextRegex, RegexInvalid, type TextRegex } from "../../streams/regex.ts";
import type { StageEntry } from "./entry.ts";
import { regexTest } from "./lineTest.ts";
import type { StageContext } from "./stage.ts";

/** The expression at `key` of a stage. One that does not compile is told and never matches. */
export function stageRegex(pattern: string, key: string, context: StageContext): TextRegex {
  try {
    if (pattern === "") context.problem([key], "must not be empty");
    return compileTextRegex(pattern);
  } catch (error) {
    if (!(error instanceof RegexInvalid)) throw error;
    context.problem([key], `invalid regular expression: ${error.reason}`);
    return { names: [], test: () => false, find: () => null };
  }
}

/** Whether an expression matches the line, asked of its bytes: no text is made of it. */
export function lineRegex(
  pattern: string,
  key: string,
  context: StageContext,
): (entry: StageEntry) => boolean {
  try {
    if (pattern === "") context.problem([key], "must not be empty");
    const matches = regexTest(pattern);
    return (entry) => {
      entry.encode();
      return matches(entry.bytes, entry.start, entry.end);
    };
  } catch (error) {
    if (!(error instanceof RegexInvalid)) throw error;
    context.problem([key], `invalid regular expression: ${error.reason}`);
    return () => false;
  }
}

/** All matches from left to right as Go finds them: they do not overlap, and none is empty right
 *  after another. */
export function* findAll(regex: TextRegex, text: string): Iterable<Int32Array> {
  let from = 0;
  let lastEnd = -1;
  while (from <= text.length) {
    const match = regex.find(text, from);
    if (match === null) return;
    const start = match[0]!;
    const end = match[1]!;
    if (end > start || start !== lastEnd) yield match;
    lastEnd = end;
    // Past an empty match goes one whole character.
    from = end > from ? end : from + ((text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1);
  }
}
