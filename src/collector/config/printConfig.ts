/** Prints a configuration as it is in effect: every key with its value, defaults included, secrets hidden unless they are
 *  asked for. What is printed can be read again. */
import { Schema } from "effect";
import { stringify } from "yaml";
import { hiddenSecret, hideUrlPasswords } from "../../platform/config/secrets.ts";
import { effectiveStages } from "../stages/compile.ts";
import { CollectorConfig } from "./collectorConfig.ts";

/** Keys whose values are not shown, as in Promtail. */
const secretKeys: ReadonlySet<string> = new Set([
  "password",
  "bearer_token",
  "credentials",
  "key",
]);

/** Keys below which every value may be a secret: an X-Api-Key is sent in a header. */
const secretMaps: ReadonlySet<string> = new Set(["headers"]);

/** Keys whose values are named by the user: there a name of `secretKeys` is a label's or a field's, and one without a value counts. */
const userNamed: ReadonlySet<string> = new Set(["pipeline_stages", "labels", "external_labels"]);

/** YAML of a configuration that has no mistakes, and how many values of it are hidden. */
export function printConfig(
  config: CollectorConfig,
  { showSecrets = false }: { readonly showSecrets?: boolean } = {},
): { readonly text: string; readonly hidden: number } {
  const encoded = Schema.encodeSync(CollectorConfig)(config);
  const jobs = config.scrape_configs.map((job, index) => ({
    ...encoded.scrape_configs?.[index],
    pipeline_stages: effectiveStages(job.pipeline_stages),
  }));
  const hiding = new Hiding(showSecrets);
  const text = stringify(hiding.of({ ...encoded, scrape_configs: jobs }), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
    // A label or field without a source has its own name's: `level:`.
    keepUndefined: true,
  });
  return { text, hidden: hiding.count };
}

/** Hides what must not be shown, and counts it. */
class Hiding {
  count = 0;
  readonly #showsSecrets: boolean;

  constructor(showsSecrets: boolean) {
    this.#showsSecrets = showsSecrets;
  }

  /** The value as it may be printed, without keys that have none. */
  of(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.of(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).filter(([, below]) => below !== undefined)
        .map(([key, below]) => [key, this.#below(key, below)]),
    );
  }

  #below(key: string, value: unknown): unknown {
    if (userNamed.has(key)) return value;
    if (this.#showsSecrets) return this.of(value);
    if (secretMaps.has(key) && typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.keys(value).map((name) => [name, this.#hide()]));
    }
    if (typeof value !== "string") return this.of(value);
    if (secretKeys.has(key)) return this.#hide();
    const shown = hideUrlPasswords(value);
    if (shown !== value) this.count++;
    return shown;
  }

  #hide(): string {
    this.count++;
    return hiddenSecret;
  }
}
