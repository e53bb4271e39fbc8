/** From a query's text to what the querier executes. */
import { Result } from "effect";
import {
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

/** Parses a log query; what parses can be executed. Throws BadRequest with the parser's message, or
 *  for a metric query. */
export function logQueryOf(text: string): ExecutableQuery {
  const parsed = parse(text);
  if (Result.isFailure(parsed)) throw new BadRequest(parsed.failure.message);
  const query = parsed.success;
  if (query.kind !== "LogQuery") {
    throw new BadRequest(
      'only log queries are supported here: want a query such as {app="a"} |= "error"',
    );
  }
  return { matchers: selectorMatchers(query.selector), pipeline: describePipeline(query.pipeline) };
}
