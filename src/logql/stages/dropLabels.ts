/** `| drop a, b="x", c=~"y.*"`: removes labels of any kind, stream labels and errors among them; with
 *  a matcher only if the value matches. */
import type { LabelMatcher, LabelName } from "../ast.ts";
import { valueTest } from "../labelFilter.ts";
import type { NameTable } from "../nameTable.ts";
import type { RowStage } from "./stage.ts";

export function dropLabels(
  labels: ReadonlyArray<LabelName | LabelMatcher>,
  names: NameTable,
): RowStage {
  const drops = labels.map((label) => ({
    slot: names.require(label.name),
    test: label.kind === "LabelMatcher" ? valueTest(label) : null,
  }));
  return {
    apply: (row) => {
      for (const { slot, test } of drops) {
        if (row.has(slot) && (test === null || test(row, slot))) row.delete(slot);
      }
      return true;
    },
  };
}
