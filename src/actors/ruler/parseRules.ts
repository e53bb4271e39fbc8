/** Reads rule groups from YAML and tells every mistake in them, each with its group, its rule, line and column. Pure. A group
 *  that comes back can be evaluated: its queries parse and are metric queries, its templates compile. */
import { Result } from "effect";
import { parseMetricQuery } from "../../logql/mod.ts";
import { decodeWith } from "../../platform/yaml/decode.ts";
import { ConfigDocument, type PlacedProblem } from "../../platform/yaml/document.ts";
import { type ConfigPath, type ConfigProblem, formatPath } from "../../platform/yaml/problem.ts";
import { isLabelName } from "../../streams/labels.ts";
import { alertTemplateProblem } from "./alertTemplate.ts";
import type { Rule, RuleGroup } from "./rule.ts";
import { FileSource, GroupSource, type RuleSource } from "./ruleSchema.ts";

/** What is wrong with some rules. `message` has all of it, a line each. */
export class RulesInvalid extends Error {
  override readonly name = "RulesInvalid";
  readonly problems: ReadonlyArray<PlacedProblem>;

  constructor(problems: ReadonlyArray<PlacedProblem>) {
    super(
      problems.map(({ line, column, message }) => `line ${line}, col ${column}: ${message}`)
        .join("\n"),
    );
    this.problems = problems;
  }
}

export interface RuleFile {
  /** What the file itself says; null if nothing. */
  readonly namespace: string | null;
  readonly groups: ReadonlyArray<RuleGroup>;
}

/** Bytes of a rule file or a group, and of a name. */
export const rulesBytesMax = 1024 * 1024;
const nameLengthMax = 256;
const intervalMsMax = 7 * 86_400_000;
const problemsMax = 100;

/** The groups of a file: `groups:` and perhaps `namespace:`. */
export function parseRuleFile(text: string): Result.Result<RuleFile, RulesInvalid> {
  return parsed(text, (value) => {
    const decoded = decodeWith(FileSource, value ?? {}, []);
    if (Result.isFailure(decoded)) return Result.fail(decoded.failure);
    const groups = decoded.success.groups ?? [];
    const problems = [
      ...groups.flatMap((group, index) => groupProblems(group, ["groups", index])),
      ...repeatedNames(groups),
    ];
    if (problems.length > 0) return Result.fail(problems);
    return Result.succeed({
      namespace: decoded.success.namespace ?? null,
      groups: groups.map(groupOf),
    });
  });
}

/** One group, as the API takes it. */
export function parseRuleGroup(text: string): Result.Result<RuleGroup, RulesInvalid> {
  return parsed(text, (value) => {
    const decoded = decodeWith(GroupSource, value ?? {}, []);
    if (Result.isFailure(decoded)) return Result.fail(decoded.failure);
    const problems = groupProblems(decoded.success, []);
    return problems.length > 0 ? Result.fail(problems) : Result.succeed(groupOf(decoded.success));
  });
}

/** What is wrong with the name of a namespace or a group; undefined if nothing. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "must not be empty";
  if (new TextEncoder().encode(name).length > nameLengthMax) {
    return `is longer than ${nameLengthMax} bytes`;
  }
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  return /[\u0000-\u001f\u007f]/.test(name) ? "has a control character" : undefined;
}

function parsed<A>(
  text: string,
  read: (value: unknown) => Result.Result<A, ReadonlyArray<ConfigProblem>>,
): Result.Result<A, RulesInvalid> {
  if (text.length > rulesBytesMax) {
    const message = `the rules have more than ${rulesBytesMax} characters; spread them over groups`;
    return Result.fail(new RulesInvalid([{ line: 1, column: 1, message }]));
  }
  const document = new ConfigDocument(text);
  const fail = (problems: ReadonlyArray<PlacedProblem>) =>
    Result.fail(new RulesInvalid(problems.slice(0, problemsMax)));
  if (document.syntaxProblems.length > 0) return fail(document.syntaxProblems);
  const result = read(document.value);
  if (Result.isSuccess(result)) return Result.succeed(result.success);
  const placed = result.failure.map(({ path, message }) => ({
    ...document.placeOf(path),
    message: `${placeName(document.value, path)}: ${message}`,
  }));
  return fail(placed.sort((a, b) => a.line - b.line || a.column - b.column));
}

/** `group "shop", rule "HighErrors": expr`, by names where there are some. */
function placeName(value: unknown, path: ConfigPath): string {
  const words: string[] = [];
  let [at, rest] = [value as Record<string, unknown> | undefined, path];
  const enter = (list: string, word: string, names: ReadonlyArray<string>) => {
    if (rest[0] !== list || typeof rest[1] !== "number") return;
    at = (at?.[list] as ReadonlyArray<Record<string, unknown>> | undefined)?.[rest[1]];
    const name = names.map((key) => at?.[key]).find((found) => typeof found === "string");
    words.push(`${word} ${name === undefined ? rest[1] + 1 : JSON.stringify(name)}`);
    rest = rest.slice(2);
  };
  enter("groups", "group", ["name"]);
  if (words.length === 0 && typeof at?.["name"] === "string" && rest[0] !== "name") {
    words.push(`group ${JSON.stringify(at["name"])}`);
  }
  enter("rules", "rule", ["alert", "record"]);
  const where = words.join(", ");
  if (rest.length === 0) return where === "" ? "the file" : where;
  return where === "" ? formatPath(rest) : `${where}: ${formatPath(rest)}`;
}

function repeatedNames(groups: ReadonlyArray<GroupSource>): ReadonlyArray<ConfigProblem> {
  const first = new Set<string>();
  return groups.flatMap(({ name }, index) => {
    if (!first.has(name)) {
      first.add(name);
      return [];
    }
    const message = `there is a group ${JSON.stringify(name)} above already`;
    return [{ path: ["groups", index, "name"], message }];
  });
}

function groupProblems(group: GroupSource, at: ConfigPath): ReadonlyArray<ConfigProblem> {
  const problems: ConfigProblem[] = [];
  const name = nameProblem(group.name);
  if (name !== undefined) problems.push({ path: [...at, "name"], message: name });
  const { interval = 1 } = group;
  if (interval < 1 || interval > intervalMsMax) {
    problems.push({ path: [...at, "interval"], message: "must be from 1ms to 7d" });
  }
  problems.push(...labelProblems(group.labels, [...at, "labels"]));
  (group.rules ?? []).forEach((rule, index) => {
    problems.push(...ruleProblems(rule, [...at, "rules", index]));
  });
  return problems;
}

function ruleProblems(rule: RuleSource, at: ConfigPath): ReadonlyArray<ConfigProblem> {
  const problems: ConfigProblem[] = [];
  const add = (key: string, message: string) => problems.push({ path: [...at, key], message });
  const { alert, record } = rule;
  if (alert === undefined && record === undefined) {
    problems.push({ path: at, message: "needs alert (a name) or record (a metric's name)" });
  } else if (alert !== undefined && record !== undefined) {
    add("record", "a rule has alert or record, not both");
  }
  if (alert === "") add("alert", "must not be empty");
  if (record !== undefined && alert === undefined) {
    if (!/^[A-Za-z_:][A-Za-z0-9_:]*$/.test(record)) {
      add("record", `${JSON.stringify(record)} is not a metric name: letters, digits, _ and :`);
    }
    for (const key of ["for", "keep_firing_for", "annotations"] as const) {
      if (rule[key] !== undefined) add(key, "is for alerts; a recording rule has none");
    }
  }
  const query = parseMetricQuery(rule.expr);
  if (Result.isFailure(query)) add("expr", query.failure.message);
  problems.push(...labelProblems(rule.labels, [...at, "labels"]));
  for (const [section, texts] of templatesOf(rule)) {
    for (const [name, text] of Object.entries(texts)) {
      const problem = alertTemplateProblem(text);
      if (problem !== undefined) problems.push({ path: [...at, section, name], message: problem });
    }
  }
  for (const name of Object.keys(rule.annotations ?? {})) {
    if (!isLabelName(name)) {
      problems.push({ path: [...at, "annotations", name], message: notALabel(name) });
    }
  }
  return problems;
}

/** Only an alert's texts are templates. */
function templatesOf(rule: RuleSource) {
  if (rule.alert === undefined) return [];
  return [["labels", rule.labels ?? {}], ["annotations", rule.annotations ?? {}]] as const;
}

function labelProblems(
  labels: Readonly<Record<string, string>> | undefined,
  at: ConfigPath,
): ReadonlyArray<ConfigProblem> {
  return Object.keys(labels ?? {}).flatMap((name) => {
    if (name === "__name__") {
      return [{ path: [...at, name], message: "is set by record, and alerts have none" }];
    }
    return isLabelName(name) ? [] : [{ path: [...at, name], message: notALabel(name) }];
  });
}

function notALabel(name: string): string {
  return `${JSON.stringify(name)} is not a label name: letters, digits and _, no digit first`;
}

function groupOf(source: GroupSource): RuleGroup {
  return {
    name: source.name,
    intervalMs: source.interval ?? null,
    limit: source.limit ?? 0,
    queryOffsetMs: source.query_offset ?? 0,
    labels: source.labels ?? {},
    rules: (source.rules ?? []).map(ruleOf),
  };
}

function ruleOf(source: RuleSource): Rule {
  const { expr, labels = {} } = source;
  if (source.alert === undefined) {
    return { kind: "recording", name: source.record ?? "", expr, labels };
  }
  return {
    kind: "alerting",
    name: source.alert,
    expr,
    forMs: source.for ?? 0,
    keepFiringForMs: source.keep_firing_for ?? 0,
    labels,
    annotations: source.annotations ?? {},
  };
}
