/** From a query's text to what the querier executes. */
import { Result } from "effect";
import {
  compilePipeline,
  describePipeline,
  parse,
  type PipelineDescription,
  selectorMatchers,
} from "../logql/mod.ts";
import type { Matcher } from "../streams/matcher.ts";
import { BadRequest } from "./params.ts";

export interface ExecutableQuery {
  readonly matchers: ReadonlyArray<Matcher>;
  readonly pipeline: PipelineDescription;
}

/** Parses a log query and compiles it once, so that what cannot be executed is refused before a
 *  worker gets it. Throws BadRequest with the parser's or the compiler's message. */
export function logQueryOf(text: string): ExecutableQuery {
  const parsed = parse(text);
  if (Result.isFailure(parsed)) throw new BadRequest(parsed.failure.message);
  const query = parsed.success;
  if (query.kind !== "LogQuery") {
    throw new BadRequest(
      'metric queries are not executed by this version: want a log query such as {app="a"} |= "error"',
    );
  }
  const pipeline = describePipeline(query.pipeline);
  try {
    compilePipeline(pipeline);
  } catch (error) {
    throw new BadRequest(error instanceof Error ? error.message : String(error));
  }
  return { matchers: selectorMatchers(query.selector), pipeline };
}
