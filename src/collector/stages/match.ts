/** The stage `match`: runs stages for the entries that a LogQL selector with line filters selects, or
 *  drops those entries. */
import { Result, Schema } from "effect";
import { parseLogQuery } from "../../logql/mod.ts";
import { selectorMatchers } from "../../logql/pipelinePlan.ts";
import { matchAll, type Matcher } from "../../streams/matcher.ts";
import { PipelineStages } from "../config/scrapeConfig.ts";
import { Text, withDefault, word } from "../config/scalars.ts";
import type { StageEntry } from "./entry.ts";
import { Name } from "./source.ts";
import type { LabelSet } from "./labelSet.ts";
import { lineTest } from "./lineTest.ts";
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
      follow: nested.joinsLines ? nested.follow.bind(nested) : undefined,
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
  const filters = pipeline.flatMap((stage) => stage.kind === "LineFilter" ? [stage] : []);
  if (filters.length < pipeline.length) {
    return problem("may have line filters (|= != |~ !~) after the selector and nothing else");
  }
  const isLabelled = labelTest(selectorMatchers(selector));
  const tests = filters.map(lineTest);
  return (entry) => {
    if (!isLabelled(entry.labels)) return false;
    if (tests.length > 0) entry.encode();
    return tests.every((passes) => passes(entry.bytes, entry.start, entry.end));
  };
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
