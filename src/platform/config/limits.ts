/** The limits of a tenant: `limits_config` of the configuration and, per tenant, `overrides`. Key names are Loki's.
 *  Owns their meaning and defaults; whoever enforces one words its error. Where a default differs from Loki's the
 *  comment says why: limits protect one tenant from another, and a new installation has one tenant. */
import { Schema, Struct } from "effect";
import {
  ByteSize,
  DurationMs,
  PositiveDurationMs,
  PositiveNumber,
  Text,
  Toggle,
  wholeNumber,
} from "./units.ts";
import { OtlpConfig } from "./otlpConfig.ts";
import { RetentionRules } from "./retentionRules.ts";
import { setting } from "./setting.ts";

/** Limits with every key present. Durations are milliseconds, sizes bytes; 0 lifts a limit where the text says so. */
export const Limits = Schema.Struct({
  // Loki's 4 and 6 MB/s are made for a shared cluster. Here the log refuses with 429 what the disk cannot take.
  ingestion_rate_mb: setting(PositiveNumber, 1024, "Megabytes a second a tenant may push"),
  ingestion_burst_size_mb: setting(
    PositiveNumber,
    1024,
    "Megabytes a tenant may push at once; one push may not be larger",
  ),
  // Loki's 3 MB/s keep one stream from overloading one ingester of many. Here streams of a tenant share one machine.
  per_stream_rate_limit: setting(ByteSize, "1GB", "Bytes a second one stream may receive"),
  per_stream_rate_limit_burst: setting(ByteSize, "1GB", "Bytes one stream may receive at once"),
  // Loki's 5000 is what a small Kubernetes cluster exceeds; a stream at rest costs about 10 KB here.
  max_global_streams_per_user: setting(
    wholeNumber(0),
    100_000,
    "Streams a tenant may have in memory; 0 for no limit",
  ),
  max_line_size: setting(ByteSize, "256KB", "Bytes of a line; 0 for no limit"),
  max_line_size_truncate: setting(
    Toggle,
    false,
    "Cut lines that are too long instead of refusing them",
  ),
  max_label_name_length: setting(wholeNumber(1), 1024, "Bytes of a label's name"),
  max_label_value_length: setting(wholeNumber(1), 2048, "Bytes of a label's value"),
  // Loki's 15 refuses what OpenTelemetry collectors on Kubernetes send by default.
  max_label_names_per_series: setting(
    wholeNumber(1),
    30,
    "Labels of a stream, service_name not counted",
  ),
  // Loki refuses what is older than a week because its index is kept by day. Old lines cost nothing extra here.
  reject_old_samples: setting(
    Toggle,
    false,
    "Refuse lines older than reject_old_samples_max_age",
  ),
  reject_old_samples_max_age: setting(DurationMs, "7d", "Age at which a line is old"),
  creation_grace_period: setting(
    DurationMs,
    "10m",
    "How far in the future a line's timestamp may lie",
  ),
  allow_structured_metadata: setting(Toggle, true, "Accept structured metadata with lines"),
  max_structured_metadata_size: setting(ByteSize, "64KB", "Bytes of one line's metadata"),
  max_structured_metadata_entries_count: setting(
    wholeNumber(0),
    128,
    "Metadata pairs of one line",
  ),
  discover_service_name: setting(
    Toggle,
    true,
    "Add the label service_name, taken from the first label that usually names a service",
  ),
  discover_log_levels: setting(Toggle, true, "Add the metadata detected_level to each line"),
  otlp_config: setting(
    OtlpConfig,
    "{}",
    "Which attributes of OTLP's resources, scopes and records become labels or structured metadata, or are dropped",
  ),
  // Loki's 5000 makes every export a paging script.
  max_entries_limit_per_query: setting(
    wholeNumber(1),
    50_000,
    "Lines a query may ask for",
  ),
  // Loki's 721h exists because its cost grows with the range; here it grows with what the query touches.
  max_query_length: setting(
    DurationMs,
    "0s",
    "Longest time range of a query; 0 for no limit",
  ),
  max_query_lookback: setting(
    DurationMs,
    "0s",
    "How far back queries see, whatever they ask for; 0 for no limit",
  ),
  max_query_bytes_read: setting(
    ByteSize,
    "0",
    "Uncompressed bytes a query may read before it is ended with an error; 0 for no limit",
  ),
  // Loki's 500 is what a dashboard by pod exceeds. A series costs its points here, which the next limit bounds.
  max_query_series: setting(
    wholeNumber(1),
    100_000,
    "Series that one range aggregation of a metric query may have",
  ),
  max_query_range: setting(
    DurationMs,
    "0s",
    "Longest range of a range aggregation, as in rate({...}[1h]); 0 for no limit",
  ),
  max_chunks_per_query: setting(wholeNumber(1), 2_000_000, "Stored chunks that a query may read"),
  max_streams_matchers_per_query: setting(
    wholeNumber(1),
    1000,
    "Selectors of one request for series",
  ),
  required_labels: setting(
    Text,
    "",
    "Labels that the selector of each query must name, with commas between",
  ),
  minimum_labels_number: setting(
    wholeNumber(0),
    0,
    "Labels that the selector of each query must name at least",
  ),
  retention_period: setting(
    DurationMs,
    "0s",
    "Age at which lines are deleted, if compactor.retention_enabled; 0 for never",
  ),
  retention_stream: setting(
    RetentionRules,
    "[]",
    "Other ages for some streams: a list of selector, priority and period; the highest priority counts",
  ),
  retention_bytes: setting(
    ByteSize,
    "0",
    "Stored bytes of the tenant; beyond it the oldest lines are deleted, if compactor.retention_enabled. 0 for no limit",
  ),
  volume_enabled: setting(Toggle, true, "Answer index/volume and index/volume_range"),
  max_query_samples: setting(
    wholeNumber(1),
    20_000_000,
    "Samples the range aggregations of a metric query may hold at once: series times steps, and values kept for quantiles; its operators may hold 4 times and work through 50 times as many",
  ),
  query_timeout: setting(
    PositiveDurationMs,
    "1m",
    "Time after which a query is ended with an error",
  ),
  // Loki's 10 is used up by a team that watches an incident. An idle tail costs nothing, a slow one at most 16 MB of lines that
  // wait, and as many that are being sent, of what querier.max_held_response_bytes allows all of them.
  max_concurrent_tail_requests: setting(
    wholeNumber(1),
    100,
    "Live tails a tenant may have open at once",
  ),
  // Loki has no limit. One ruler evaluates the rules of a group one after another.
  ruler_max_rules_per_rule_group: setting(
    wholeNumber(0),
    1000,
    "Rules of a group given to the API; 0 for no limit",
  ),
  ruler_max_rule_groups_per_tenant: setting(
    wholeNumber(0),
    1000,
    "Rule groups that a tenant may give to the API; 0 for no limit",
  ),
});

export type Limits = typeof Limits.Type;

/** What `overrides` holds for a tenant: any of the limits. */
export const LimitsOverride = Limits.mapFields(Struct.map(Schema.optionalKey));

/** The limits of `tenant`: those of limits_config with the tenant's overrides on top. Of several tenants with `|` between, as of
 *  a query over all of them, the strictest of each. */
export function limitsFor(
  settings: {
    readonly limits_config: Limits;
    readonly overrides: Readonly<Record<string, typeof LimitsOverride.Type>>;
  },
  tenant: string,
): Limits {
  if (tenant.includes("|")) {
    return tenant.split("|").map((one) => limitsFor(settings, one)).reduce(strictest);
  }
  const override = Object.hasOwn(settings.overrides, tenant) ? settings.overrides[tenant] : null;
  return override ? { ...settings.limits_config, ...override } : settings.limits_config;
}

function strictest(a: Limits, b: Limits): Limits {
  const entries = Object.entries(a).map(([key, left]) => {
    const right = b[key as keyof Limits];
    if (typeof left === "number" && typeof right === "number") {
      if (key === "minimum_labels_number") return [key, Math.max(left, right)];
      // 0 lifts a limit.
      return [key, left === 0 || right === 0 ? left + right : Math.min(left, right)];
    }
    if (typeof left === "boolean") return [key, left && right];
    // What is kept how long is asked for each tenant alone.
    if (typeof left !== "string") return [key, left];
    return [key, [...new Set([left, right])].filter((part) => part !== "").join(",")];
  });
  return Object.fromEntries(entries) as Limits;
}
