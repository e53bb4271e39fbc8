/** Which series of two sides meet: by all labels, `on (…)` or `ignoring (…)` some. Owns signatures and the
 *  labels of results. A side's labels never change from step to step, so matching is done once per
 *  series. */
import type { VectorMatching } from "../../ast.ts";
import { formatLabels, type Labels } from "../../../streams/labels.ts";
import { groupLabels, type LabelGrouping } from "../grouping.ts";
import type { Series } from "../matrix.ts";

/** The labels that must be equal for series to meet. */
export function signatureLabels(labels: Labels, matching: VectorMatching | null): Labels {
  return groupLabels(labels, signatureGrouping(matching));
}

/** Series by the labels that they are matched on. */
export function bySignature(
  series: ReadonlyArray<Series>,
  matching: VectorMatching | null,
): Map<string, Series[]> {
  const grouping = signatureGrouping(matching);
  const found = new Map<string, Series[]>();
  for (const one of series) {
    const key = formatLabels(groupLabels(one.labels, grouping));
    const same = found.get(key);
    if (same === undefined) found.set(key, [one]);
    else same.push(one);
  }
  return found;
}

/** The labels of a result. One to one: those matched on (or all but those ignored). With group_left or
 *  group_right: all of the "many" side, and the named ones of the "one" side. */
export function resultLabels(many: Labels, one: Labels, matching: VectorMatching | null): Labels {
  if (matching === null) return many;
  if (matching.group === null) return signatureLabels(many, matching);
  const copied = matching.group.labels;
  if (copied.length === 0) return many;
  return [
    ...many.filter(([name]) => !copied.includes(name)),
    ...one.filter(([name]) => copied.includes(name)),
  ].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

function signatureGrouping(matching: VectorMatching | null): LabelGrouping {
  if (matching === null) return { mode: "without", labels: [] };
  return { mode: matching.mode === "on" ? "by" : "without", labels: matching.labels };
}
