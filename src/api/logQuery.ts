/** From a query's text to what the querier executes. */
import { Result } from "effect";
import {
  describeLabelFilter,
  describeLineFilter,
  type LabelFilterDescription,
  type LineFilterDescription,
  parse,
  selectorMatchers,
} from "../logql/mod.ts";
import type { Matcher } from "../streams/matcher.ts";
import { BadRequest } from "./params.ts";

export interface ExecutableQuery {
  readonly matchers: ReadonlyArray<Matcher>;
  readonly filters: ReadonlyArray<LineFilterDescription>;
  readonly labelFilters: ReadonlyArray<LabelFilterDescription>;
}

/** Parses a log query of selectors, line filters and label filters that compare strings. Throws BadRequest: the parser's message,
 *  or which part of LogQL this version does not execute. */
export function logQueryOf(text: string): ExecutableQuery {
  const parsed = parse(text);
  if (Result.isFailure(parsed)) throw new BadRequest(parsed.failure.message);
  const query = parsed.success;
  if (query.kind !== "LogQuery") {
    throw new BadRequest(
      'metric queries are not executed by this version: want a log query such as {app="a"} |= "error"',
    );
  }
  const filters: LineFilterDescription[] = [];
  const labelFilters: LabelFilterDescription[] = [];
  // No stage that is executed changes a line or its labels, so the order of filters does not matter.
  for (const stage of query.pipeline) {
    if (stage.kind === "LineFilter") {
      filters.push(describeLineFilter(stage));
      continue;
    }
    const labelFilter = stage.kind === "LabelFilter" ? describeLabelFilter(stage) : undefined;
    if (labelFilter !== undefined) {
      labelFilters.push(labelFilter);
      continue;
    }
    throw new BadRequest(
      `the stage at offset ${stage.span.start}, "${
        text.slice(stage.span.start, stage.span.end).slice(0, 80)
      }", is not executed ` +
        "by this version: it has label matchers, the line filters |= != |~ !~ |> !>, and label filters that " +
        'compare with text, such as | level="error"',
    );
  }
  return { matchers: selectorMatchers(query.selector), filters, labelFilters };
}
