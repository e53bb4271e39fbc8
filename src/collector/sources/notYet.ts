/** What a configuration may say and this collector does not do yet. It refuses to start with such a configuration:
 *  logs that nobody collects are worse than an error. */
import type { CollectorConfig } from "../config/collectorConfig.ts";

/** One message for each use. */
export function unfinishedUses(config: CollectorConfig): ReadonlyArray<string> {
  const uses = config.scrape_configs.flatMap((job) => {
    const where = `scrape config "${job.job_name}"`;
    const { kubernetes_sd_configs, docker_sd_configs, file_sd_configs, decompression } = job;
    return [
      ...(kubernetes_sd_configs.length > 0 ? [`${where}: kubernetes_sd_configs`] : []),
      ...(docker_sd_configs.length > 0 ? [`${where}: docker_sd_configs`] : []),
      ...(file_sd_configs.length > 0 ? [`${where}: file_sd_configs`] : []),
      ...(job.journal === undefined ? [] : [`${where}: journal`]),
      ...(job.loki_push_api === undefined ? [] : [`${where}: loki_push_api`]),
      ...(job.encoding === "" ? [] : [`${where}: encoding`]),
      ...(decompression.format === "bz2" ? [`${where}: decompression of bz2`] : []),
    ];
  });
  const { limits_config: limits, target_config: target } = config;
  return [
    ...uses,
    ...(limits.readline_rate_enabled ? ["limits_config.readline_rate_enabled"] : []),
    ...(limits.max_streams > 0 ? ["limits_config.max_streams"] : []),
    ...(target.stdin ? ["target_config.stdin"] : []),
  ];
}
