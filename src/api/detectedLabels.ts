/** Which labels of streams are worth choosing by: their names with how many values they have. Labels
 *  whose values are only numbers or UUIDs say little and are left out, as in Loki. Pure. */
import type { Labels } from "../streams/labels.ts";

export interface DetectedLabel {
  readonly label: string;
  readonly cardinality: number;
}

/** Shown whatever their values are. */
const alwaysShown: ReadonlySet<string> = new Set(["cluster", "namespace", "instance", "pod"]);
const numberForm = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const uuidForm = /^[\da-f]{8}-?(?:[\da-f]{4}-?){3}[\da-f]{12}$/i;

/** By name. */
export function detectLabels(streams: ReadonlyArray<Labels>): ReadonlyArray<DetectedLabel> {
  const values = new Map<string, Set<string>>();
  for (const labels of streams) {
    for (const [name, value] of labels) {
      let known = values.get(name);
      if (known === undefined) values.set(name, known = new Set());
      known.add(value);
    }
  }
  return [...values]
    .filter(([name, known]) => alwaysShown.has(name) || ![...known].every(isId))
    .map(([label, { size }]) => ({ label, cardinality: size }))
    .sort((a, b) => a.label < b.label ? -1 : 1);
}

function isId(value: string): boolean {
  return numberForm.test(value) || uuidForm.test(value);
}
