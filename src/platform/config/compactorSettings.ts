/** The settings of the compactor: merging and retention. limits.ts has how long each tenant's lines are kept. */
import { Schema } from "effect";
import { setting } from "./setting.ts";
import { ByteSize, DurationMs, PositiveDurationMs, Toggle, wholeNumber } from "./units.ts";

export const CompactorSettings = Schema.Struct({
  // Loki's 10m. Looking costs a read of the list of segments.
  compaction_interval: setting(
    PositiveDurationMs,
    "1m",
    "Time between two looks at which segments can be merged and which have expired",
  ),
  merge_enabled: setting(Toggle, true, "Merge small segments into large ones"),
  merge_target_bytes: setting(
    ByteSize,
    "64MB",
    "Stored bytes of a merged segment, which is in memory once while it is written",
  ),
  merge_min_segments: setting(
    wholeNumber(2, 64),
    8,
    "Small neighbours that are merged at once, at least; what is older than two hours is merged if there are two",
  ),
  retention_enabled: setting(
    Toggle,
    false,
    "Delete what limits_config.retention_* say; while it is off, nothing is ever deleted",
  ),
  // Loki's is 2h because its queriers cache index files that long.
  retention_delete_delay: setting(
    DurationMs,
    "5m",
    "Time that the object of a merged or expired segment stays, for queries that have begun; at least query_timeout counts",
  ),
  retention_bytes: setting(
    ByteSize,
    "0",
    "Stored bytes of all tenants; beyond it the oldest are deleted. 0 for no limit",
  ),
});
