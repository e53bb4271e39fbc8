/** What static targets come to: the paths that they name, after relabeling. A path that is no glob is a mistake. A target
 *  without a path, and a job without a source, read nothing: Promtail runs such a configuration, so that it is a warning. */
import { hostName } from "../../platform/system.ts";
import { type ConfigPath, type ConfigProblem, nearestKey } from "../../platform/yaml/problem.ts";
import { staticTargets, targetRelabeler } from "../relabel/targetLabels.ts";
import { Glob, InvalidGlob } from "../tailing/glob.ts";
import type { CollectorConfig } from "./collectorConfig.ts";
import type { ScrapeConfig, StaticConfig } from "./scrapeConfig.ts";

const pathLabels = ["__path__", "__path_exclude__", "__host__"];

/** Paths that are no globs. The relabel rules must be free of mistakes. */
export function checkPaths({ scrape_configs }: CollectorConfig): ReadonlyArray<ConfigProblem> {
  const targetFiles = scrape_configs.flatMap((job, index) =>
    job.file_sd_configs.flatMap(({ files }, at) => {
      const path = ["scrape_configs", index, "file_sd_configs", at, "files"];
      return files.flatMap((file) => globProblems(file, path, ""));
    })
  );
  const paths = eachStatic(
    scrape_configs,
    (job, config, path) =>
      [...internalsOf(job, config)].flatMap((internal) =>
        ["__path__", "__path_exclude__"].flatMap((name) =>
          globProblems(internal.get(name) ?? "", path, `${name}: `)
        )
      ),
  );
  return [...targetFiles, ...paths];
}

/** What will not be read although somebody may think so. */
export function targetWarnings({ scrape_configs, target_config }: CollectorConfig) {
  // Then labels are all that is used of static targets.
  if (target_config.stdin) return [];
  const idle = scrape_configs.flatMap((job, index): ReadonlyArray<ConfigProblem> =>
    hasSource(job) ? [] : [{
      path: ["scrape_configs", index],
      message: "the job has no source and reads nothing: add static_configs, journal, … to it",
    }]
  );
  const pathless = eachStatic(scrape_configs, (job, config, path) => {
    const [without] = [...internalsOf(job, config)].filter((internal) =>
      isHere(internal) && !internal.get("__path__")
    );
    if (without === undefined) return [];
    return [{ path, message: `there is no __path__, so that nothing is read${meant(without)}` }];
  });
  return [...idle, ...pathless];
}

function eachStatic(
  jobs: ReadonlyArray<ScrapeConfig>,
  check: (
    job: ScrapeConfig,
    config: StaticConfig,
    path: ConfigPath,
  ) => ReadonlyArray<ConfigProblem>,
): ReadonlyArray<ConfigProblem> {
  return jobs.flatMap((job, index) =>
    job.static_configs.flatMap((config, at) =>
      check(job, config, ["scrape_configs", index, "static_configs", at, "labels"]).slice(0, 1)
    )
  );
}

/** The labels of targets that no rule drops. */
function* internalsOf(job: ScrapeConfig, config: StaticConfig) {
  const relabel = targetRelabeler(job.relabel_configs);
  for (const discovered of staticTargets(config)) {
    const target = relabel(discovered);
    if (target !== null) yield target.internal;
  }
}

function isHere(internal: ReadonlyMap<string, string>): boolean {
  return ["", hostName()].includes(internal.get("__host__") ?? "");
}

/** The label that was probably meant to be the path. */
function meant(internal: ReadonlyMap<string, string>): string {
  const near = [...internal.keys()].find((name) =>
    !pathLabels.includes(name) && nearestKey(name, pathLabels) === "__path__"
  );
  return near === undefined ? "" : `; is "${near}" meant to be it?`;
}

function hasSource(job: ScrapeConfig): boolean {
  const { static_configs, file_sd_configs, kubernetes_sd_configs, docker_sd_configs } = job;
  const { journal, syslog, loki_push_api } = job;
  return [static_configs, file_sd_configs, kubernetes_sd_configs, docker_sd_configs]
    .some(({ length }) => length > 0) ||
    [journal, syslog, loki_push_api].some((source) => source !== undefined);
}

function globProblems(
  pattern: string,
  path: ConfigPath,
  name: string,
): ReadonlyArray<ConfigProblem> {
  try {
    if (pattern !== "") new Glob(pattern);
    return [];
  } catch (error) {
    if (error instanceof InvalidGlob) return [{ path, message: `${name}${error.message}` }];
    throw error;
  }
}
