/** Describes a pipeline as plain data that crosses threads: which filters look at lines as they
 *  were stored, which stages follow, and which labels anyone needs after each. pipeline.ts executes
 *  it. Invariant: running the parts one after another gives what running the stages as written
 *  gives, as far as what is needed can tell. */
import { makeMatcher, type Matcher } from "../streams/matcher.ts";
import type { LabelMatcher, LabelName, Predicate, Selector, Stage, Unwrap } from "./ast.ts";
import { describeLineFilter, type LineFilterDescription } from "./lineFilter.ts";
import { compileTemplate } from "./templates/mod.ts";

/** What is asked of a row. */
export interface Needed {
  /** Names of labels, or all of them. */
  readonly labels: "all" | ReadonlyArray<string>;
  /** Whether the line is: its bytes or its length. */
  readonly line: boolean;
  /** Whether it matters that the template of a line format fails, even if nobody needs the line; false
   *  unless given. */
  readonly formatErrors?: boolean;
}

export interface PipelineDescription {
  /** Filters of the line as it was stored. */
  readonly filters: ReadonlyArray<LineFilterDescription>;
  /** Every other stage, in order. */
  readonly stages: ReadonlyArray<Stage>;
  readonly unwrap: Unwrap | null;
  /** What is needed of a row that passed. Labels of filters and templates need not be named. */
  readonly needed: Needed;
}

/** What a log query needs. */
export const everything: Needed = { labels: "all", line: true, formatErrors: true };

/** Describes the stages of a log query or of a range. A line filter moves in front of all stages
 *  that leave the line as it is. */
export function describePipeline(
  pipeline: ReadonlyArray<Stage>,
  needed: Needed = everything,
  unwrap: Unwrap | null = null,
): PipelineDescription {
  const filters: LineFilterDescription[] = [];
  const stages: Stage[] = [];
  let movable = true;
  for (const stage of pipeline) {
    if (stage.kind === "LineFilter" && movable) filters.push(describeLineFilter(stage));
    else stages.push(stage);
    movable &&= !changesLine.has(stage.kind);
  }
  return { filters, stages, unwrap, needed };
}

/** The matchers of a parsed selector. */
export function selectorMatchers(selector: Selector): ReadonlyArray<Matcher> {
  return selector.matchers.map(({ name, op, value }) => makeMatcher(name, op, value));
}

/** What is needed after each stage, and last before the first one: of what lies in the row as it
 *  was stored. Throws TemplateSyntaxError. */
export function neededAfter(
  { stages, unwrap, needed }: PipelineDescription,
): { readonly after: ReadonlyArray<Needed>; readonly stored: Needed } {
  const after = new Array<Needed>(stages.length);
  let now = needed;
  if (unwrap !== null) {
    for (const filter of unwrap.filters) now = withLabels(now, predicateNames(filter.predicate));
    now = withLabels(now, [unwrap.label]);
  }
  for (let index = stages.length - 1; index >= 0; index--) {
    after[index] = now;
    now = neededBefore(stages[index]!, now);
  }
  return { after, stored: now };
}

/** Whether a parser or a format may be left out: nobody needs what it gives. */
export function isIdle(stage: Stage, after: Needed): boolean {
  const noLabels = after.labels !== "all" && after.labels.length === 0;
  switch (stage.kind) {
    case "JsonParser":
    case "LogfmtParser":
    case "PatternParser":
    case "RegexpParser":
      return noLabels;
    case "UnpackParser":
      return noLabels && !after.line;
    case "LineFormat":
      return !after.line && after.formatErrors !== true;
    case "Decolorize":
      return !after.line;
    default:
      return false;
  }
}

/** The stages behind which a line may differ from what was stored. */
export const changesLine: ReadonlySet<Stage["kind"]> = new Set<Stage["kind"]>([
  "LineFormat",
  "UnpackParser",
  "Decolorize",
]);

function neededBefore(stage: Stage, after: Needed): Needed {
  if (isIdle(stage, after)) return after;
  switch (stage.kind) {
    case "LineFilter":
    case "JsonParser":
    case "LogfmtParser":
    case "PatternParser":
    case "RegexpParser":
    case "UnpackParser":
    case "Decolorize":
      return { ...after, line: true };
    case "LabelFilter":
      return withLabels(after, predicateNames(stage.predicate));
    case "LineFormat": {
      // A template that fails leaves the line as it was.
      return neededByTemplate(stage.template, after);
    }
    case "LabelFormat":
      return stage.assignments.reduce((needed, { name, type, source }) => {
        const named = withLabels(needed, type === "rename" ? [name, source] : [name]);
        return type === "rename" ? named : neededByTemplate(source, named);
      }, after);
    case "DropLabels":
    case "KeepLabels":
      return withLabels(after, matcherNames(stage.labels));
  }
}

function neededByTemplate(text: string, after: Needed): Needed {
  const { labelNames, readsLine } = compileTemplate(text);
  const line = after.line || readsLine;
  if (labelNames === "all") return { ...after, labels: "all", line };
  return withLabels({ ...after, line }, [...labelNames]);
}

function withLabels(needed: Needed, names: ReadonlyArray<string>): Needed {
  if (needed.labels === "all") return needed;
  return { ...needed, labels: [...new Set([...needed.labels, ...names])] };
}

function matcherNames(labels: ReadonlyArray<LabelName | LabelMatcher>): ReadonlyArray<string> {
  return labels.flatMap((label) => label.kind === "LabelMatcher" ? [label.name] : []);
}

function predicateNames(predicate: Predicate): ReadonlyArray<string> {
  if (predicate.kind !== "LogicalPredicate") return [predicate.name];
  return [...predicateNames(predicate.left), ...predicateNames(predicate.right)];
}
