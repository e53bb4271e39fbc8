/** The list of all settings, read off the schema: their paths ("server.http_listen_port"), environment names, flag
 *  names, and which known key an unknown one was probably meant to be. settings.ts owns what they are. */
import { Schema } from "effect";
import { editDistance } from "../editDistance.ts";
import { defaultKey } from "./setting.ts";
import { structuredKey } from "./structured.ts";
import { Settings } from "./settings.ts";
import type { Scalar } from "./units.ts";

/** One setting as every source knows it. */
export interface CatalogueEntry {
  readonly path: string;
  readonly environmentName: string;
  readonly flagName: string;
  readonly byDefault: Scalar;
  readonly description: string;
  /** Whether a file may write it as a list or a map. */
  readonly isStructured: boolean;
}

/** Every setting but those under `overrides`, in the schema's order. */
export const catalogue: ReadonlyArray<CatalogueEntry> = entriesOf(Settings, []);

/** The setting at `path`, if there is one. */
export function settingAt(path: string): CatalogueEntry | undefined {
  return entryByPath.get(path);
}

/** Whether `path` is a section such as "server" or "ingester.wal", or the map `overrides`. */
export function isSection(path: string): boolean {
  return path === "overrides" || catalogue.some((entry) => entry.path.startsWith(`${path}.`));
}

/** Tells about a path that is no setting: what Loki's sections do here, or the nearest setting. */
export function unknownKeyMessage(path: string): string {
  const section = path.split(".")[0] ?? "";
  if (lokiOnly.has(section)) {
    return `Loki's section "${section}" has no counterpart in Tailrace: remove it`;
  }
  if (lokiOnly.has(path) || path.startsWith("server.grpc_")) {
    return `Loki's setting "${path}" has no counterpart in Tailrace: remove it`;
  }
  const nearest = nearestPath(path);
  const hint = nearest === undefined
    ? '"tailrace config --describe" lists all keys'
    : `did you mean "${nearest}"?`;
  return `there is no setting "${path}": ${hint}`;
}

/** The setting whose path, or else whose last key, is like `path`; undefined if none is. */
export function nearestPath(path: string): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    if (path.startsWith(`${candidate}.`)) continue;
    const distance = Math.min(
      editDistance(path, candidate),
      editDistance(lastKey(path), lastKey(candidate)) + 1,
      hasAllWords(lastKey(candidate), lastKey(path)) ? 2 : Infinity,
    );
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return bestDistance <= Math.max(2, lastKey(path).length / 3) ? best : undefined;
}

const entryByPath = new Map(catalogue.map((entry) => [entry.path, entry]));

const candidates = [
  ...new Set(catalogue.flatMap(({ path }) => {
    const keys = path.split(".");
    return keys.map((_, index) => keys.slice(0, index + 1).join("."));
  })),
  "overrides",
];

/** Loki's sections that configure machinery Tailrace does without, and of the others the settings that most files have. */
const lokiOnly = new Set([
  "bloom_build",
  "bloom_gateway",
  "chunk_store_config",
  "common.compactor_address",
  "common.instance_addr",
  "common.replication_factor",
  "common.ring",
  "common.storage",
  "compactor.compactor_ring",
  "compactor.delete_request_store",
  "compactor.working_directory",
  "distributor.ring",
  "frontend",
  "frontend_worker",
  "index_gateway",
  "ingester_client",
  "ingester_rf1",
  "ingester.lifecycler",
  "kafka_config",
  "limits_config.max_query_parallelism",
  "limits_config.split_queries_by_interval",
  "limits_config.tsdb_max_query_parallelism",
  "memberlist",
  "operational_config",
  "pattern_ingester",
  "query_range",
  "query_scheduler",
  "runtime_config",
  "schema_config",
  "storage_config",
  "table_manager",
  "tracing",
]);

function entriesOf(schema: Schema.Top, keys: ReadonlyArray<string>): Array<CatalogueEntry> {
  if ("fields" in schema) {
    return Object.entries(schema.fields as Record<string, Schema.Top>)
      .flatMap(([key, field]) => entriesOf(field, [...keys, key]));
  }
  const annotations = Schema.resolveAnnotations(schema);
  const byDefault = annotations?.[defaultKey];
  if (byDefault === undefined) return [];
  const path = keys.join(".");
  return [{
    path,
    environmentName: `TAILRACE_${path.toUpperCase().replaceAll(".", "_")}`,
    flagName: `--${path.replaceAll("_", "-")}`,
    byDefault: byDefault as Scalar,
    description: String(annotations?.description ?? ""),
    isStructured: annotations?.[structuredKey] === true,
  }];
}

function lastKey(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** Whether each word of `part` ("http_port") is one of `whole` ("http_listen_port"). */
function hasAllWords(whole: string, part: string): boolean {
  const words = whole.split("_");
  return part.split("_").every((word) => words.includes(word));
}
