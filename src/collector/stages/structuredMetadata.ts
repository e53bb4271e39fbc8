/** The stage `structured_metadata` (once `non_indexed_labels`): attaches extracted values to the
 *  entry without making streams of them. A label of the source's name moves: it is a label no more,
 *  so that what relabel rules found can become metadata. */
import { OptionalLabelMap } from "../config/scalars.ts";
import { labelSources } from "./labels.ts";
import { keep } from "./stage.ts";
import { defineStage, type StageDefinition } from "./stageDefinition.ts";

const definition = (name: string): StageDefinition =>
  defineStage({
    name,
    schema: OptionalLabelMap,
    reads: (config) => labelSources(config).map(([, source]) => source),
    compile: (config) => {
      const sources = labelSources(config);
      return {
        apply(entry) {
          for (const [name, source] of sources) {
            const label = entry.labels.get(source);
            const value = label ?? entry.extracted.text(source);
            if (value !== undefined && value !== "") entry.metadata.push([name, value]);
            if (label !== undefined) entry.labels = entry.labels.without(source);
          }
          return keep;
        },
      };
    },
  });

export const structuredMetadata = definition("structured_metadata");
export const nonIndexedLabels = definition("non_indexed_labels");
