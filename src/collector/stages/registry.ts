/** Every pipeline stage by its name in a configuration. */
import { cri } from "./cri.ts";
import { staticLabels } from "./staticLabels.ts";
import type { StageDefinition } from "./stageDefinition.ts";

export const stageDefinitions: ReadonlyMap<string, StageDefinition> = new Map(
  [cri, staticLabels].map((definition) => [definition.name, definition]),
);
