/** The whole configuration of the collector: Promtail's keys and defaults. Durations are
 *  milliseconds, sizes bytes. load.ts reads a file into it. */
import { Schema } from "effect";
import { ClientConfig } from "./clientConfig.ts";
import {
  ByteSize,
  DurationMs,
  Text,
  Toggle,
  unsupported,
  wholeNumber,
  withDefault,
} from "./scalars.ts";
import { ScrapeConfig } from "./scrapeConfig.ts";
import { ServerConfig } from "./serverConfig.ts";

export const PositionsConfig = Schema.Struct({
  filename: withDefault(Text, "/var/log/positions.yaml"),
  sync_period: withDefault(DurationMs, "10s"),
  ignore_invalid_yaml: withDefault(Toggle, false),
});

export const LimitsConfig = Schema.Struct({
  readline_rate_enabled: withDefault(Toggle, false),
  readline_rate: withDefault(wholeNumber(1), 10000),
  readline_burst: withDefault(wholeNumber(1), 10000),
  readline_rate_drop: withDefault(Toggle, true),
  max_streams: withDefault(wholeNumber(0), 0),
  max_line_size: withDefault(ByteSize, 0),
  max_line_size_truncate: withDefault(Toggle, false),
});

export const TargetConfig = Schema.Struct({
  sync_period: withDefault(DurationMs, "10s"),
  stdin: withDefault(Toggle, false),
});

export const FileWatchConfig = Schema.Struct({
  min_poll_frequency: withDefault(DurationMs, "250ms"),
  max_poll_frequency: withDefault(DurationMs, "250ms"),
});

export const CollectorConfig = Schema.Struct({
  global: withDefault(
    Schema.Struct({ file_watch_config: withDefault(FileWatchConfig, {}) }),
    {},
  ),
  server: withDefault(ServerConfig, {}),
  /** The older form of `clients`; load.ts puts it in front of them. */
  client: Schema.optional(ClientConfig),
  clients: withDefault(Schema.Array(ClientConfig), []),
  positions: withDefault(PositionsConfig, {}),
  scrape_configs: withDefault(Schema.Array(ScrapeConfig), []),
  limits_config: withDefault(LimitsConfig, {}),
  target_config: withDefault(TargetConfig, {}),
  options: withDefault(Schema.Struct({ stream_lag_labels: withDefault(Text, "") }), {}),
  tracing: Schema.optional(
    Schema.Struct({
      enabled: withDefault(Toggle, false).check(
        Schema.makeFilter((enabled) => !enabled || "is not supported; leave it out"),
      ),
    }),
  ),
  wal: unsupported(
    "Promtail's experimental WAL",
    "leave it out: what a server does not take is kept on disk without it",
  ),
});

export type CollectorConfig = typeof CollectorConfig.Type;
export type PositionsConfig = typeof PositionsConfig.Type;
export type LimitsConfig = typeof LimitsConfig.Type;
export type TargetConfig = typeof TargetConfig.Type;
