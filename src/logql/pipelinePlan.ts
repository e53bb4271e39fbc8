/** Splits a log query into what an index, a scan and the later stages each do. lineFilter.ts
 *  compiles the scan's part. Invariant: running the parts one after another gives what running the
 *  stages as written gives. */
import { makeMatcher, type Matcher } from "../streams/matcher.ts";
import type { LogQuery, Selector, Stage } from "./ast.ts";
import { describeLineFilter, type LineFilterDescription } from "./lineFilter.ts";

/** What of a log query a scan does. */
export interface PipelinePlan {
  readonly matchers: ReadonlyArray<Matcher>;
  /** Filters of the line as it was stored. */
  readonly filters: ReadonlyArray<LineFilterDescription>;
  /** Every other stage in its order, for whoever executes labels and formats. */
  readonly stages: ReadonlyArray<Stage>;
}

/** Splits a query into what selects streams, what filters stored lines, and the rest. A filter
 *  moves in front of stages that change neither the line nor which lines are left. */
export function compilePipeline(query: LogQuery): PipelinePlan {
  const filters: LineFilterDescription[] = [];
  const stages: Stage[] = [];
  let movable = true;
  for (const stage of query.pipeline) {
    if (stage.kind === "LineFilter" && movable) filters.push(describeLineFilter(stage));
    else stages.push(stage);
    movable &&= !barriers.has(stage.kind);
  }
  return { matchers: selectorMatchers(query.selector), filters, stages };
}

/** The matchers of a parsed selector. */
export function selectorMatchers(selector: Selector): ReadonlyArray<Matcher> {
  return selector.matchers.map(({ name, op, value }) => makeMatcher(name, op, value));
}

const barriers: ReadonlySet<Stage["kind"]> = new Set<Stage["kind"]>([
  "LabelFilter",
  "LineFormat",
  "UnpackParser",
  "Decolorize",
]);
