/** From what discovery knows of a target to the labels its lines carry: relabel rules, then every
 *  label that begins with `__` is dropped, but for the tenant. */
import { LabelSet, tenantLabel } from "../stages/labelSet.ts";
import { compileRelabelConfigs, type LabelMap } from "./relabel.ts";
import type { RelabelConfig } from "./relabelConfig.ts";

export interface RelabeledTarget {
  /** What lines are labelled with. */
  readonly labels: LabelSet;
  /** Labels after the rules and before `__` ones are dropped: `__path__`, `__host__`, ... */
  readonly internal: ReadonlyMap<string, string>;
}

/** Makes targets of discovered labels; null for a target that a rule drops. Throws RegexInvalid for
 *  rules that were not checked. */
export function targetRelabeler(
  configs: ReadonlyArray<RelabelConfig>,
): (discovered: ReadonlyMap<string, string>) => RelabeledTarget | null {
  const relabel = compileRelabelConfigs(configs);
  return (discovered) => {
    const internal: LabelMap = new Map(discovered);
    if (!relabel(internal)) return null;
    const pairs = [...internal].filter(([name]) => name === tenantLabel || !name.startsWith("__"));
    return { labels: LabelSet.of(pairs), internal };
  };
}

/** What discovery knows of the targets of one static configuration; without any it has one, as in Promtail. */
export function staticTargets(
  { targets, labels }: {
    readonly targets: ReadonlyArray<string>;
    readonly labels: Readonly<Record<string, string>>;
  },
): ReadonlyArray<ReadonlyMap<string, string>> {
  const addresses = targets.length === 0 ? ["localhost"] : targets;
  return addresses.map((address) => new Map([["__address__", address], ...Object.entries(labels)]));
}
