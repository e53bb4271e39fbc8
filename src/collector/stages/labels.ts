/** The stage `labels`: makes labels of extracted values. */
import { OptionalLabelMap } from "../config/scalars.ts";
import { keep } from "./stage.ts";
import { defineStage } from "./stageDefinition.ts";

export const labels = defineStage({
  name: "labels",
  schema: OptionalLabelMap,
  reads: (config) => labelSources(config).map(([, source]) => source),
  compile: (config) => {
    const sources = labelSources(config);
    return {
      apply(entry) {
        for (const [name, source] of sources) {
          const value = entry.extracted.text(source);
          if (value !== undefined) entry.labels = entry.labels.with(name, value);
        }
        return keep;
      },
    };
  },
});

/** Label names with the extracted values they are made of; a label without one has its own name's. */
export function labelSources(
  config: Readonly<Record<string, string | undefined>>,
): ReadonlyArray<readonly [name: string, source: string]> {
  return Object.entries(config).map(([name, source]) => [name, source || name]);
}
