/** The stage `regex`: extracts the named groups of a regular expression. A group that took no part in
 *  the match is extracted as an empty text, as in Promtail. */
import { Schema } from "effect";
import { Text, Toggle, withDefault } from "../config/scalars.ts";
import { isLabelName } from "../../streams/labels.ts";
import { OptionalSource, sourceText } from "./source.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";
import { stageRegex } from "./stageRegex.ts";

const Config = Schema.Struct({
  expression: Text,
  source: OptionalSource,
  labels_from_groups: withDefault(Toggle, false),
});

export const regex = defineStage({
  name: "regex",
  schema: Config,
  reads: ({ source }) => source === undefined ? [] : [source],
  compile: ({ expression, source, labels_from_groups: setsLabels }, context) => {
    const pattern = stageRegex(expression, "expression", context);
    const groups = pattern.names.flatMap((name, index) => name === "" ? [] : [{ name, index }])
      .filter(({ name }) => setsLabels || context.isWanted(name))
      .map(({ name, index }) => ({ name, group: index + 1 }));
    return {
      apply(entry) {
        if (groups.length === 0) return keep;
        const text = sourceText(entry, source);
        const found = text === undefined ? null : pattern.find(text, 0);
        if (found === null) return keep;
        for (const { name, group } of groups) {
          const start = found[2 * group]!;
          const value = start < 0 ? "" : text!.slice(start, found[2 * group + 1]);
          entry.extracted.set(name, value);
          if (setsLabels && isLabelName(name)) entry.labels = entry.labels.with(name, value);
        }
        return keep;
      },
    };
  },
});
