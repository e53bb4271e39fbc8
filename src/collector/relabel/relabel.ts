/** Prometheus' relabeling: rules that rewrite, keep or drop a target by its labels. Semantics after
 *  https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config.
 *  relabelConfig.ts owns what a rule may say, targetLabels.ts what happens to `__` labels afterwards.
 */
import { digest } from "../../platform/digest.ts";
import { isLabelName } from "../../streams/labels.ts";
import { compileTextRegex, RegexInvalid, type TextRegex } from "../../streams/regex.ts";
import type { ConfigPath, ConfigProblem } from "../../platform/yaml/problem.ts";
import type { RelabelConfig } from "./relabelConfig.ts";

/** A target's labels while rules work on them. */
export type LabelMap = Map<string, string>;

/** Rules made ready; applies them in order to `labels`, in place. False if the target is dropped. */
export type Relabeling = (labels: LabelMap) => boolean;

/** Throws RegexInvalid for what checkRelabelConfigs tells about. */
export function compileRelabelConfigs(configs: ReadonlyArray<RelabelConfig>): Relabeling {
  const rules = configs.map(compileRule);
  return (labels) => rules.every((rule) => rule(labels));
}

/** The mistakes of rules: regexes, missing and meaningless keys. */
export function checkRelabelConfigs(
  configs: ReadonlyArray<RelabelConfig>,
  path: ConfigPath,
): ReadonlyArray<ConfigProblem> {
  return configs.flatMap((config, index) =>
    checkRule(config).map(([key, message]) => ({ path: [...path, index, key], message }))
  );
}

function compileRule(config: RelabelConfig): Relabeling {
  const regex = compileTextRegex(anchored(config.regex));
  const source = (labels: LabelMap) =>
    config.source_labels.map((name) => labels.get(name) ?? "").join(config.separator);
  const { target_label: target, replacement } = config;
  switch (config.action) {
    case "replace":
      return (labels) => replace(labels, source(labels), regex, target, replacement);
    case "keep":
      return (labels) => regex.find(source(labels), 0) !== null;
    case "drop":
      return (labels) => regex.find(source(labels), 0) === null;
    case "keepequal":
      return (labels) => source(labels) === (labels.get(target) ?? "");
    case "dropequal":
      return (labels) => source(labels) !== (labels.get(target) ?? "");
    case "hashmod":
      return (labels) =>
        set(labels, target, String(hashOf(source(labels)) % BigInt(config.modulus)));
    case "lowercase":
      return (labels) => set(labels, target, source(labels).toLowerCase());
    case "uppercase":
      return (labels) => set(labels, target, source(labels).toUpperCase());
    case "labelmap":
      return (labels) => mapLabels(labels, regex, replacement);
    case "labeldrop":
      return (labels) => removeLabels(labels, (name) => regex.find(name, 0) !== null);
    case "labelkeep":
      return (labels) => removeLabels(labels, (name) => regex.find(name, 0) === null);
  }
}

function anchored(regex: string): string {
  return `^(?s:${regex})$`;
}

/** An empty value is no label. */
function set(labels: LabelMap, name: string, value: string): true {
  if (value === "") labels.delete(name);
  else labels.set(name, value);
  return true;
}

function replace(
  labels: LabelMap,
  value: string,
  regex: TextRegex,
  target: string,
  replacement: string,
): true {
  const groups = regex.find(value, 0);
  if (groups === null) return true;
  const name = expandTemplate(target, value, regex, groups);
  if (!isLabelName(name)) return true;
  return set(labels, name, expandTemplate(replacement, value, regex, groups));
}

function mapLabels(labels: LabelMap, regex: TextRegex, replacement: string): true {
  for (const [name, value] of [...labels]) {
    const groups = regex.find(name, 0);
    if (groups !== null) set(labels, expandTemplate(replacement, name, regex, groups), value);
  }
  return true;
}

function removeLabels(labels: LabelMap, isRemoved: (name: string) => boolean): true {
  for (const name of [...labels.keys()]) if (isRemoved(name)) labels.delete(name);
  return true;
}

/** The last eight bytes of the MD5, as Prometheus takes them. */
function hashOf(value: string): bigint {
  const bytes = digest("md5", value);
  return new DataView(bytes.buffer, bytes.byteOffset, 16).getBigUint64(8);
}

/** Go's regexp.Expand: $1, ${1}, $name and ${name} stand for groups, $$ for a dollar sign; a name is
 *  as long as it can be, and a group that is not there is empty. */
export function expandTemplate(
  template: string,
  text: string,
  regex: TextRegex,
  groups: Int32Array,
): string {
  if (!template.includes("$")) return template;
  return template.replace(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_, dollar, bare, braced) => {
    if (dollar !== undefined) return "$";
    const name: string = bare ?? braced;
    const group = /^\d+$/.test(name) ? Number(name) : regex.names.indexOf(name) + 1;
    if (group === 0 && !/^0+$/.test(name)) return "";
    const start = groups[2 * group] ?? -1;
    return start < 0 ? "" : text.slice(start, groups[2 * group + 1]);
  });
}

type RuleProblem = readonly [key: string, message: string];

function checkRule(config: RelabelConfig): ReadonlyArray<RuleProblem> {
  const problems: RuleProblem[] = [];
  const { action, target_label: target, replacement } = config;
  try {
    compileTextRegex(anchored(config.regex));
  } catch (error) {
    if (!(error instanceof RegexInvalid)) throw error;
    problems.push(["regex", `invalid regular expression "${config.regex}": ${error.reason}`]);
  }
  const isTemplate = target.includes("$") && action === "replace";
  if (targeted.has(action)) {
    if (target === "") problems.push(["target_label", `action ${action} needs a target_label`]);
    else if (!isTemplate && !isLabelName(target)) {
      problems.push(["target_label", `"${target}" is not a label name`]);
    }
  }
  if (action === "hashmod" && config.modulus === 0) {
    problems.push(["modulus", "action hashmod needs a modulus of at least 1"]);
  }
  if (action === "labelmap" && !isLabelName(replacement.replace(/\$(\w+|\{\w+\})/g, "x"))) {
    problems.push(["replacement", `"${replacement}" does not make a label name`]);
  }
  const isDefault: Readonly<Record<string, boolean>> = {
    source_labels: config.source_labels.length === 0,
    separator: config.separator === ";",
    target_label: target === "",
    regex: config.regex === "(.*)",
    modulus: config.modulus === 0,
    replacement: replacement === "$1",
  };
  for (const key of withoutMeaning[action] ?? []) {
    if (!isDefault[key]) problems.push([key, `has no meaning with action ${action}`]);
  }
  return problems;
}

const targeted: ReadonlySet<string> = new Set([
  "replace",
  "keepequal",
  "dropequal",
  "hashmod",
  "lowercase",
  "uppercase",
]);

/** Keys that Prometheus refuses with an action. */
const withoutMeaning: Readonly<Record<string, ReadonlyArray<string>>> = {
  keepequal: ["separator", "regex", "modulus", "replacement"],
  dropequal: ["separator", "regex", "modulus", "replacement"],
  lowercase: ["replacement"],
  uppercase: ["replacement"],
  labeldrop: ["source_labels", "separator", "target_label", "modulus", "replacement"],
  labelkeep: ["source_labels", "separator", "target_label", "modulus", "replacement"],
};
