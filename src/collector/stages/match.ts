/** The stage `match`: runs stages for the entries that a LogQL selector with line filters selects, or
 *  drops those entries. */
import { Result, Schema } from "effect";
import { compileLineFilters, describeLineFilter } from "../../logql/lineFilter.ts";
import { parseLogQuery } from "../../logql/mod.ts";
import { selectorMatchers } from "../../logql/pipelinePlan.ts";
import type { BlockFilter, LineBlock } from "../../streams/lineBlock.ts";
import { matchAll, type Matcher } from "../../streams/matcher.ts";
import { PipelineStages } from "../config/scrapeConfig.ts";
import { Text, withDefault, word } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { Name } from "./source.ts";
import type { LabelSet } from "./labelSet.ts";
import { drop, keep, type Stage, type StageContext } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

const Config = Schema.Struct({
  selector: Name,
  pipeline_name: Schema.optional(Name),
  action: withDefault(word("keep", "drop"), "keep"),
  drop_counter_reason: withDefault(Text, "match_stage"),
  stages: withDefault(PipelineStages, []),
}).check(
  Schema.makeFilter(({ action, stages }) => {
    if (action === "drop") return stages.length === 0 || "has no use for stages with action drop";
    return stages.length > 0 || "needs stages, or action: drop";
  }),
);

export const match = defineStage({
  name: "match",
  schema: Config,
  reads: ({ stages }) => stages.length > 0 ? "all" : [],
  compile: (config, context) => {
    const isSelected = compileSelector(config.selector, context);
    if (config.action === "drop") {
      const dropped = context.metrics.droppedLines(config.drop_counter_reason || "match_stage");
      return {
        apply(entry) {
          if (!isSelected(entry)) return keep;
          dropped.value++;
          return drop;
        },
      };
    }
    const nested = context.nested(config.stages, ["stages"]);
    return {
      apply(entry) {
        if (!isSelected(entry)) return keep;
        // As in Promtail, labels that were set meanwhile are extracted values of nested stages.
        entry.extracted.refresh(entry.labels);
        return nested.run(entry);
      },
      tick: (nowMs) => nested.tick(nowMs),
      flush: (origin) => nested.flush(origin),
      eachHeld: (visit) => nested.eachHeld(visit),
    } satisfies Stage;
  },
});

type Selection = (entry: StageEntry) => boolean;

function compileSelector(text: string, context: StageContext): Selection {
  const problem = (message: string): Selection => {
    context.problem(["selector"], message);
    return () => false;
  };
  const parsed = parseLogQuery(text);
  if (Result.isFailure(parsed)) return problem(parsed.failure.message);
  const { selector, pipeline } = parsed.success;
  const filters = pipeline.flatMap((stage) =>
    stage.kind === "LineFilter" ? [describeLineFilter(stage)] : []
  );
  if (filters.length < pipeline.length) {
    return problem("may have line filters (|= != |~ !~) after the selector and nothing else");
  }
  const isLabelled = labelTest(selectorMatchers(selector));
  const filter = compileLineFilters(filters)[0];
  if (filter === undefined) return (entry) => isLabelled(entry.labels);
  const line = new OneLine(filter);
  return (entry) => isLabelled(entry.labels) && line.passes(entry);
}

/** Lines come in runs of one label set. */
function labelTest(matchers: ReadonlyArray<Matcher>): (labels: LabelSet) => boolean {
  let known: LabelSet | null = null;
  let isMatch = false;
  return (labels) => {
    if (labels !== known) {
      known = labels;
      isMatch = matchAll(matchers, labels.pairs);
    }
    return isMatch;
  };
}

/** Asks a filter of blocks about one line. */
class OneLine {
  readonly #filter: BlockFilter;
  readonly #ends = new Uint32Array(2);
  readonly #mask = new Uint8Array(1);

  constructor(filter: BlockFilter) {
    this.#filter = filter;
  }

  passes(entry: StageEntry): boolean {
    entry.encode();
    this.#ends[0] = entry.start;
    this.#ends[1] = entry.end;
    this.#mask[0] = 1;
    const block: LineBlock = {
      lines: entry.bytes,
      lineEnds: this.#ends,
      rowStart: 1,
      rowEnd: 2,
      timestamps: noTimes,
      metaIds: noIds,
      sets: noSets,
    };
    return this.#filter.apply(block, this.#mask) === 1;
  }
}

const noTimes = new BigInt64Array(2);
const noIds = new Uint32Array(2);
const noSets = { setEnds: new Uint32Array(0), meta: new Uint8Array(0) };
