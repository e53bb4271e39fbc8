/** `| keep a, b="x"`: removes all labels but these, of any kind; errors stay. A label that is named
 *  more than once stays if any of its conditions holds. */
import type { LabelMatcher, LabelName } from "../ast.ts";
import { valueTest } from "../labelFilter.ts";
import { errorDetailsSlot, type NameTable } from "../nameTable.ts";
import type { Row } from "../row.ts";
import type { RowStage } from "./stage.ts";

type Condition = ((row: Row, slot: number) => boolean) | null;

export function keepLabels(
  labels: ReadonlyArray<LabelName | LabelMatcher>,
  names: NameTable,
): RowStage {
  /** By slot; null keeps whatever the value is. */
  const keeps = new Map<number, Condition[]>();
  for (const label of labels) {
    const slot = names.require(label.name);
    const conditions = keeps.get(slot) ?? [];
    keeps.set(slot, conditions);
    conditions.push(label.kind === "LabelMatcher" ? valueTest(label) : null);
  }
  return {
    apply: (row) => {
      for (let index = 0; index < row.memberCount; index++) {
        const slot = row.members[index]!;
        if (slot <= errorDetailsSlot || !row.has(slot)) continue;
        const conditions = keeps.get(slot);
        const stays = conditions?.some((test) => test === null || test(row, slot)) ?? false;
        if (!stays) row.delete(slot);
      }
      return true;
    },
  };
}
