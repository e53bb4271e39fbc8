/** Which labels of a series are left by `by (…)` and `without (…)`. Owns what a missing clause means to
 *  each side: a range aggregation keeps all labels, a vector aggregation none. */
import type { Labels } from "../../streams/labels.ts";

/** Plain data, for crossing into worker threads. "by" no labels is one group of everything, "without"
 *  none keeps every label. */
export interface LabelGrouping {
  readonly mode: "by" | "without";
  readonly labels: ReadonlyArray<string>;
}

export const oneGroup: LabelGrouping = { mode: "by", labels: [] };
export const everyLabel: LabelGrouping = { mode: "without", labels: [] };

/** The labels of the group that a label set belongs to. */
export function groupLabels(labels: Labels, { mode, labels: names }: LabelGrouping): Labels {
  if (mode === "without" && names.length === 0) return labels;
  const keep = mode === "by";
  return labels.filter(([name]) => names.includes(name) === keep);
}
