/** What a rule group is, once it was read: Loki's rule groups, which are Prometheus' with LogQL in them. Durations are
 *  milliseconds. parseRules.ts makes them of YAML, printRules.ts YAML of them. */

export interface AlertingRule {
  readonly kind: "alerting";
  /** The alert's name. */
  readonly name: string;
  readonly expr: string;
  /** How long the condition must hold before the alert fires. */
  readonly forMs: number;
  /** How long a firing alert goes on firing after its condition stopped holding. */
  readonly keepFiringForMs: number;
  /** Templates; so are the annotations. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RecordingRule {
  readonly kind: "recording";
  /** The name of the metric that results are recorded as. */
  readonly name: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type Rule = AlertingRule | RecordingRule;

export interface RuleGroup {
  readonly name: string;
  /** Time between evaluations; null for ruler.evaluation_interval. */
  readonly intervalMs: number | null;
  /** Alerts or series that one rule may make; 0 for no limit. */
  readonly limit: number;
  /** How far back from now rules are evaluated; 0 unless given. */
  readonly queryOffsetMs: number;
  /** Added to each rule that has none of that name. */
  readonly labels: Readonly<Record<string, string>>;
  readonly rules: ReadonlyArray<Rule>;
}

/** A group and where it belongs. */
export interface PlacedGroup {
  readonly tenant: string;
  readonly namespace: string;
  readonly group: RuleGroup;
  /** The file it is from; null for one that was given to the API. */
  readonly file: string | null;
}

/** A rule's labels with those of its group below. */
export function labelsOfRule(group: RuleGroup, rule: Rule): Readonly<Record<string, string>> {
  return { ...group.labels, ...rule.labels };
}
