/** Compiles one stage of a pipeline; a file beside this one owns each. */
import type { Stage } from "../ast.ts";
import { compilePredicate } from "../labelFilter.ts";
import type { NameTable } from "../nameTable.ts";
import type { Needed } from "../pipelinePlan.ts";
import { decolorize } from "./decolorize.ts";
import { dropLabels } from "./dropLabels.ts";
import { JsonExpressions } from "./jsonExpressions.ts";
import { JsonParser } from "./jsonParser.ts";
import { keepLabels } from "./keepLabels.ts";
import { LabelFormat } from "./labelFormat.ts";
import { lineFilter } from "./lineFilter.ts";
import { lineFormat } from "./lineFormat.ts";
import { LogfmtExpressions, LogfmtParser } from "./logfmtParser.ts";
import { PatternParser } from "./patternParser.ts";
import { RegexpParser } from "./regexpParser.ts";
import type { RowStage } from "./stage.ts";
import { Unpack } from "./unpack.ts";
import { Wanted } from "./wanted.ts";

/** `after` is what is needed of the row once the stage has run. Throws RegexInvalid,
 *  TemplateSyntaxError or a RangeError for what the parser would have refused. */
export function compileStage(
  stage: Stage,
  after: Needed,
  names: NameTable,
  checkpoint: () => void,
): RowStage {
  switch (stage.kind) {
    case "LineFilter":
      return lineFilter(stage);
    case "JsonParser": {
      const wanted = new Wanted(after, names);
      return stage.extractions.length === 0
        ? new JsonParser(wanted)
        : new JsonExpressions(stage.extractions, wanted, names);
    }
    case "LogfmtParser": {
      const wanted = new Wanted(after, names);
      return stage.extractions.length === 0
        ? new LogfmtParser(stage.strict, stage.keepEmpty, wanted)
        : new LogfmtExpressions(stage.strict, stage.extractions, wanted, names);
    }
    case "PatternParser":
      return new PatternParser(stage.pattern, new Wanted(after, names), names);
    case "RegexpParser":
      return new RegexpParser(stage.regex, new Wanted(after, names), names, checkpoint);
    case "UnpackParser":
      return new Unpack(new Wanted(after, names));
    case "LabelFilter":
      return compilePredicate(stage.predicate, names);
    case "LineFormat":
      return lineFormat(stage.template, checkpoint);
    case "LabelFormat":
      return new LabelFormat(stage.assignments, names, checkpoint);
    case "Decolorize":
      return decolorize;
    case "DropLabels":
      return dropLabels(stage.labels, names);
    case "KeepLabels":
      return keepLabels(stage.labels, names);
  }
}
