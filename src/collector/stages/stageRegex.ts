/** Regular expressions of stages: RE2's as elsewhere (src/streams/regex.ts), with mistakes told in
 *  the words of a configuration. */
import { compileTextRegex, RegexInvalid, type TextRegex } from "../../streams/regex.ts";
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
