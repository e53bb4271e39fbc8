/** Pipelines from text, for tests of what executes them. */
import { Result } from "effect";
import { describePipeline, everything, type Needed } from "../logql/pipelinePlan.ts";
import { parseLogQuery } from "../logql/parser.ts";

/** The description of `| json | a="b"` and the like, as a thread gets it. Throws ParseError. */
export function pipelineOf(text: string, needed: Needed = everything) {
  const query = Result.getOrThrow(parseLogQuery(`{app="a"} ${text}`));
  return structuredClone(describePipeline(query.pipeline, needed));
}
