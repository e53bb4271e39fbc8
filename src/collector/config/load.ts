/** Reads a collector's configuration: environment variables, YAML, schema, pipelines, relabel rules.
 *  Owns the order and that all mistakes are told at once, each with its line and column. */
import { Result } from "effect";
import { checkRelabelConfigs } from "../relabel/relabel.ts";
import { RelabelConfigs } from "../relabel/relabelConfig.ts";
import { checkStages } from "../stages/compile.ts";
import { checkPaths, targetWarnings } from "./checkTargets.ts";
import { CollectorConfig } from "./collectorConfig.ts";
import { decodeWith } from "../../platform/yaml/decode.ts";
import { ConfigDocument, type PlacedProblem } from "../../platform/yaml/document.ts";
import { expandEnvironment } from "./expandEnvironment.ts";
import type { ConfigProblem } from "../../platform/yaml/problem.ts";
import { PipelineStages } from "./scrapeConfig.ts";

/** The configuration cannot be used. */
export class ConfigInvalid extends Error {
  override readonly name = "ConfigInvalid";
  readonly problems: ReadonlyArray<PlacedProblem>;

  constructor(file: string, problems: ReadonlyArray<PlacedProblem>) {
    super(problems.map((problem) => formatPlaced(file, problem)).join("\n"));
    this.problems = problems;
  }
}

export interface ConfigSource {
  /** Names the file in messages. */
  readonly file: string;
  readonly text: string;
  /** Variables to put into the text (`-config.expand-env`); null to leave it as it is. */
  readonly environment: Readonly<Record<string, string | undefined>> | null;
}

/** What in a configuration without mistakes has probably another effect than was meant: `file:line:column: message`. */
export function configWarnings(
  { file, text, environment }: ConfigSource,
  config: CollectorConfig,
): ReadonlyArray<string> {
  const expanded = environment === null ? text : expandEnvironment(text, environment).text;
  const document = new ConfigDocument(expanded);
  const placed = targetWarnings(config).map((warning) => document.placed(warning));
  return inOrder(placed).map((problem) => formatPlaced(file, problem));
}

/** The configuration of a file's text, or all its mistakes. */
export function parseConfig(
  { file, text, environment }: ConfigSource,
): Result.Result<CollectorConfig, ConfigInvalid> {
  const fail = (problems: ReadonlyArray<PlacedProblem>) =>
    Result.fail(new ConfigInvalid(file, inOrder(problems)));
  const expanded = environment === null
    ? { text, problems: [] }
    : expandEnvironment(text, environment);
  if (expanded.problems.length > 0) {
    return fail(expanded.problems.map(({ at, message }) => ({ ...placeIn(text, at), message })));
  }
  const document = new ConfigDocument(expanded.text);
  if (document.syntaxProblems.length > 0) return fail(document.syntaxProblems);
  const decoded = decodeWith(CollectorConfig, document.value ?? {}, []);
  const problems = Result.isSuccess(decoded)
    ? checkMeaning(decoded.success)
    : [...decoded.failure, ...checkJobs(document.value)];
  if (problems.length > 0) return fail(problems.map((problem) => document.placed(problem)));
  return Result.mapBoth(decoded, {
    onFailure: () => new ConfigInvalid(file, []),
    onSuccess: ({ client, ...config }) => ({
      ...config,
      clients: client === undefined ? config.clients : [client, ...config.clients],
    }),
  });
}

/** What a schema cannot see: pipelines, rules, and what does not go together. */
function checkMeaning(config: CollectorConfig): ReadonlyArray<ConfigProblem> {
  const problems = [
    ...config.scrape_configs.flatMap((job, index) => [
      ...checkStages(job.pipeline_stages, ["scrape_configs", index, "pipeline_stages"]),
      ...checkRelabelConfigs(job.relabel_configs, ["scrape_configs", index, "relabel_configs"]),
    ]),
    ...checkNames(config.scrape_configs.map((job) => job.job_name)),
  ];
  return problems.length > 0 ? problems : checkPaths(config);
}

/** Names that two jobs have. */
function checkNames(names: ReadonlyArray<unknown>): ReadonlyArray<ConfigProblem> {
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    if (typeof name !== "string" || first === index) return [];
    const message = `"${name}" is the name of scrape_configs[${first}] already`;
    return [{ path: ["scrape_configs", index, "job_name"], message }];
  });
}

/** Pipelines, rules and names of a file whose shape is wrong elsewhere: their mistakes are told too. */
function checkJobs(value: unknown): ReadonlyArray<ConfigProblem> {
  const jobs = isMap(value) ? value["scrape_configs"] : undefined;
  if (!Array.isArray(jobs)) return [];
  const names = checkNames(jobs.map((job: unknown) => isMap(job) ? job["job_name"] : undefined));
  const jobProblems = jobs.flatMap((job: unknown, index) => {
    if (!isMap(job)) return [];
    const at = ["scrape_configs", index];
    const stages = decodeWith(PipelineStages, job["pipeline_stages"] ?? [], []);
    const rules = decodeWith(RelabelConfigs, job["relabel_configs"] ?? [], []);
    return [
      ...(Result.isSuccess(stages) ? checkStages(stages.success, [...at, "pipeline_stages"]) : []),
      ...(Result.isSuccess(rules)
        ? checkRelabelConfigs(rules.success, [...at, "relabel_configs"])
        : []),
    ];
  });
  return [...jobProblems, ...names];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function formatPlaced(file: string, { line, column, message }: PlacedProblem): string {
  return `${file}:${line}:${column}: ${message}`;
}

function inOrder(problems: ReadonlyArray<PlacedProblem>): ReadonlyArray<PlacedProblem> {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}

function placeIn(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at);
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}
