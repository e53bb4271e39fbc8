/** Prints a configuration as it is in effect: every key with its value, defaults included, secrets
 *  hidden. What is printed can be read again. */
import { Schema } from "effect";
import { stringify } from "yaml";
import { effectiveStages } from "../stages/compile.ts";
import { CollectorConfig } from "./collectorConfig.ts";

/** Keys whose values are not shown, as in Promtail. */
const secretKeys: ReadonlySet<string> = new Set([
  "password",
  "bearer_token",
  "credentials",
  "key",
]);

/** Keys whose values are named by the user: there a name of `secretKeys` is a label's or a field's, and one without a value counts. */
const userNamed: ReadonlySet<string> = new Set(["pipeline_stages", "labels", "external_labels"]);

/** YAML of a configuration that has no mistakes. */
export function printConfig(config: CollectorConfig): string {
  const encoded = Schema.encodeSync(CollectorConfig)(config);
  const jobs = config.scrape_configs.map((job, index) => ({
    ...encoded.scrape_configs?.[index],
    pipeline_stages: effectiveStages(job.pipeline_stages),
  }));
  return stringify(withoutSecrets({ ...encoded, scrape_configs: jobs }), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
    // A label or field without a source has its own name's: `level:`.
    keepUndefined: true,
  });
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, below]) => below !== undefined).map(([key, below]) => {
      if (userNamed.has(key)) return [key, below];
      const isSecret = secretKeys.has(key) && typeof below === "string";
      return [key, isSecret ? "<secret>" : withoutSecrets(below)];
    }),
  );
}
