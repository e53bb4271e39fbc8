/** The stage `labelallow`: removes every label that it does not name. */
import { LabelNames } from "./labeldrop.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

export const labelallow = defineStage({
  name: "labelallow",
  schema: LabelNames,
  compile: (names) => {
    const allowed = new Set(names);
    return {
      apply(entry) {
        for (const [name] of entry.labels.pairs) {
          if (!allowed.has(name)) entry.labels = entry.labels.without(name);
        }
        return keep;
      },
    };
  },
});
