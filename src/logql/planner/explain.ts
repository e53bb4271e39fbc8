/** Says in words what a plan does: which filters run in which order, which stages run at all, which labels
 *  are extracted. What it cost is the querier's to tell. Invariant: the texts describe what is executed,
 *  not what was written. */
import type { Stage } from "../ast.ts";
import { runOrder } from "../lineFilter.ts";
import { isIdle, neededAfter, type PipelineDescription } from "../pipelinePlan.ts";
import { printGrouping, printLineFilter, printStage, unwrapTexts } from "../printer.ts";
import { formatDuration } from "../units.ts";
import type { Leaf } from "./metricPlan.ts";
import { leafPipeline } from "./metricPlan.ts";

export interface PipelineText {
  /** What decides over whole blocks, in the order in which it runs: label filters over stream labels and
   *  metadata sets, then line filters, the cheap ones first. */
  readonly filters: ReadonlyArray<string>;
  /** What runs on single rows. */
  readonly stages: ReadonlyArray<string>;
  /** Parsers that are left out, because nobody needs what they give. */
  readonly skipped: ReadonlyArray<string>;
  /** Labels that are extracted, or all. */
  readonly labels: "all" | ReadonlyArray<string>;
  /** Whether lines must be decompressed. */
  readonly readsLines: boolean;
}

export interface LeafText extends PipelineText {
  readonly query: string;
  readonly window: string;
  readonly offset: string | null;
  /** What the rows of a window are grouped by while they are read. */
  readonly grouping: string;
  /** The vector aggregation that is done while rows are read. */
  readonly pushedDown: string | null;
}

export function explainPipeline(description: PipelineDescription): PipelineText {
  const { stages, filters, unwrap } = description;
  const { after, stored } = neededAfter(description);
  const runs = stages.filter((stage, index) => !isIdle(stage, after[index]!));
  const skipped = stages.filter((stage, index) => isIdle(stage, after[index]!));
  const leading = leadingFilters(runs);
  const rowStages = [...runs.slice(leading.length).map(printStage), ...unwrapTexts(unwrap)];
  return {
    filters: [...leading.map(printStage), ...runOrder(filters).map(printLineFilter)],
    stages: rowStages,
    skipped: skipped.map(printStage),
    labels: stored.labels,
    readsLines: filters.length > 0 || rowStages.length > 0,
  };
}

export function explainLeaf(leaf: Leaf): LeafText {
  const { range, grouping, pushedDown, text } = leaf;
  return {
    query: text,
    window: formatDuration(range.rangeNs),
    offset: range.offsetNs === 0n ? null : formatDuration(range.offsetNs),
    grouping: printGrouping(grouping),
    pushedDown,
    ...explainPipeline(leafPipeline(leaf)),
  };
}

/** Label filters in front of all else look at stored labels alone. */
function leadingFilters(stages: ReadonlyArray<Stage>): ReadonlyArray<Stage> {
  const end = stages.findIndex(({ kind }) => kind !== "LabelFilter");
  return end < 0 ? stages : stages.slice(0, end);
}
