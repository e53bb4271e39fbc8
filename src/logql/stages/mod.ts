/** Compiles one stage of a pipeline; a file beside this one owns each. */
import type { Stage } from "../ast.ts";
import { compilePredicate } from "../labelFilter.ts";
import type { NameTable } from "../nameTable.ts";
import { isIdle, type Needed } from "../pipelinePlan.ts";
import { dropLabels } from "./dropLabels.ts";
import { keepLabels } from "./keepLabels.ts";
import type { RowStage } from "./stage.ts";

/** `after` is what is needed of the row once the stage has run. Throws RegexInvalid,
 *  TemplateSyntaxError or a RangeError for what the parser would have refused. */
export function compileStage(
  stage: Stage,
  after: Needed,
  names: NameTable,
  _checkpoint: () => void,
): RowStage {
  if (isIdle(stage, after)) return { apply: () => true };
  switch (stage.kind) {
    case "LabelFilter":
      return compilePredicate(stage.predicate, names);
    case "DropLabels":
      return dropLabels(stage.labels, names);
    case "KeepLabels":
      return keepLabels(stage.labels, names);
    default:
      throw new RangeError(`the stage ${stage.kind} is not executed by this version`);
  }
}
