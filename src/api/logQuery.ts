/** From a query's text to what the querier executes. */
import { Result } from "effect";
import {
  describeLineFilter,
  type LineFilterDescription,
  parse,
  selectorMatchers,
} from "../logql/mod.ts";
import type { Matcher } from "../streams/matcher.ts";
import { BadRequest } from "./params.ts";

export interface ExecutableQuery {
  readonly matchers: ReadonlyArray<Matcher>;
  readonly filters: ReadonlyArray<LineFilterDescription>;
}

/** Parses a log query of selectors and line filters. Throws BadRequest: the parser's message, or which part of LogQL this version
 *  does not execute. */
export function logQueryOf(text: string): ExecutableQuery {
  const parsed = parse(text);
  if (Result.isFailure(parsed)) throw new BadRequest(parsed.failure.message);
  const query = parsed.success;
  if (query.kind !== "LogQuery") {
    throw new BadRequest(
      'metric queries are not executed by this version: want a log query such as {app="a"} |= "error"',
    );
  }
  const filters = query.pipeline.map((stage) => {
    if (stage.kind === "LineFilter") return describeLineFilter(stage);
    throw new BadRequest(
      `the stage at offset ${stage.span.start}, "${
        text.slice(stage.span.start, stage.span.end).slice(0, 80)
      }", is not executed ` +
        "by this version: it has label matchers and the line filters |= != |~ !~",
    );
  });
  return { matchers: selectorMatchers(query.selector), filters };
}
