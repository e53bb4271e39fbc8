/** Every setting of Tailrace: one schema that the YAML file, the environment and the flags share. Key names are Loki's
 *  where the meaning is the same. Owns names, types, defaults and descriptions; load.ts owns where values come from,
 *  limits.ts what a tenant may do. Durations are milliseconds, sizes bytes. */
import { Schema } from "effect";
import { CompactorSettings } from "./compactorSettings.ts";
import { Limits, LimitsOverride } from "./limits.ts";
import { NatsSettings } from "./natsSettings.ts";
import { AttributeNames, defaultLabelAttributes } from "./otlpConfig.ts";
import { RulerSettings } from "./rulerSettings.ts";
import { S3Settings } from "./s3Settings.ts";
import { setting } from "./setting.ts";
import { ByteSize, DurationMs, oneOf, Text, Toggle, wholeNumber } from "./units.ts";

export const Settings = Schema.Struct({
  target: setting(
    oneOf(["all", "distributor", "ingester", "querier", "ruler", "compactor", "ui"]),
    "all",
    "The role this process has; others than all need storage.engine nats. ui serves the page and answers queries, whose scans " +
      "queriers do",
  ),
  auth_enabled: setting(
    Toggle,
    false,
    "Require the header X-Scope-OrgID; without it every request is of tenant fake",
  ),
  common: Schema.Struct({
    path_prefix: setting(Text, "./data", "The directory that holds all data"),
  }),
  storage: Schema.Struct({
    engine: setting(
      oneOf(["embedded", "nats"]),
      "embedded",
      "Where logs are kept: files of this process, or NATS JetStream, which many processes share",
    ),
    object_store: setting(
      oneOf(["engine", "s3"]),
      "engine",
      "Where segments are kept: with the engine (files, or buckets of NATS), or in a bucket of S3",
    ),
    s3: S3Settings,
    cache_size: setting(
      ByteSize,
      "10GB",
      "Bytes of segments that a querier keeps on its disk when they are in NATS or S3",
    ),
  }),
  nats: NatsSettings,
  server: Schema.Struct({
    http_listen_address: setting(Text, "0.0.0.0", "Address to listen on"),
    http_listen_port: setting(wholeNumber(0, 65535), 3100, "Port to listen on"),
    http_server_read_timeout: setting(DurationMs, "30s", "Time a request may take to arrive"),
    http_server_idle_timeout: setting(
      DurationMs,
      "2m",
      "Time a connection may wait between requests",
    ),
    graceful_shutdown_timeout: setting(
      DurationMs,
      "30s",
      "Time running requests get to finish when the server stops",
    ),
    log_level: setting(oneOf(["debug", "info", "warn", "error"]), "info", "Least level to log"),
    log_format: setting(oneOf(["logfmt", "json"]), "logfmt", "How the server logs"),
  }),
  distributor: Schema.Struct({
    max_recv_msg_size: setting(ByteSize, "100MB", "Bytes of a push as sent"),
    // Loki's is 5000 MB. A push is decoded in memory, so that would let one request end the process.
    max_decompressed_size: setting(ByteSize, "256MB", "Bytes of a push when decompressed"),
    // JSON becomes objects before it becomes columns. It is for scripts; agents send protobuf.
    max_json_size: setting(ByteSize, "32MB", "Bytes of a JSON push when decompressed"),
    max_inflight_size: setting(
      ByteSize,
      "512MB",
      "Bytes of pushes being received at once; beyond it the answer is 429",
    ),
    otlp_config: Schema.Struct({
      default_resource_attributes_as_index_labels: setting(
        AttributeNames,
        JSON.stringify(defaultLabelAttributes),
        "Attributes of OTLP's resources that become labels, unless limits_config.otlp_config ignores defaults",
      ),
    }),
  }),
  ingester: Schema.Struct({
    partitions: setting(wholeNumber(1, 256), 1, "Partitions, each with its own log and writer"),
    chunk_target_size: setting(
      ByteSize,
      "1536KB",
      "Compressed bytes at which a chunk is full, about: logs are taken to shrink to 3/16; at most 12MB count",
    ),
    chunk_idle_period: setting(
      DurationMs,
      "30m",
      "Time without new lines after which a stream leaves memory",
    ),
    segment_target_bytes: setting(
      ByteSize,
      "64MB",
      "Bytes of a partition in memory at which a segment is cut",
    ),
    max_unflushed_bytes: setting(
      ByteSize,
      "256MB",
      "Bytes of a partition in memory; beyond it pushes are answered 429 until a segment is committed",
    ),
    max_segment_age: setting(
      DurationMs,
      "10m",
      "Age of a partition's oldest unflushed line at which a segment is cut",
    ),
    wal: Schema.Struct({
      file_target_size: setting(ByteSize, "64MB", "Bytes at which a new log file is begun"),
      max_size: setting(
        ByteSize,
        "4GB",
        "Bytes of log not yet in segments; beyond it pushes are answered 429",
      ),
      // Compressing costs as much CPU as all the rest of a push; what is written here is deleted minutes later.
      compression: setting(
        oneOf(["none", "zstd"]),
        "none",
        "How records are stored: zstd writes a fourth of the bytes for twice the CPU time",
      ),
    }),
  }),
  querier: Schema.Struct({
    workers: setting(wholeNumber(0, 256), 0, "Threads that scan and compress; 0 for one per core"),
    max_concurrent: setting(wholeNumber(1), 16, "Queries that run at once; others wait"),
    max_outstanding_per_tenant: setting(
      wholeNumber(1),
      1024,
      "Queries of a tenant that wait; beyond it the answer is 429",
    ),
    // As JSON a byte becomes up to six, and an answer is one text.
    max_response_bytes: setting(
      ByteSize,
      "64MB",
      "Bytes of lines that one query may return",
    ),
    max_held_response_bytes: setting(
      ByteSize,
      "256MB",
      "Memory of answers, all together, while queries find them and clients read them, and of unflushed lines that come from ingesters; beyond it queries wait, and clients that read nothing are ended",
    ),
    multi_tenant_queries_enabled: setting(
      Toggle,
      false,
      "Let queries name several tenants, as in X-Scope-OrgID: a|b; what they may read is for whoever sets the header to decide",
    ),
    patterns_enabled: setting(Toggle, true, "Answer /loki/api/v1/patterns"),
    tail_max_duration: setting(DurationMs, "1h", "Time after which a live tail is closed"),
  }),
  ruler: RulerSettings,
  compactor: CompactorSettings,
  ui: Schema.Struct({
    enabled: setting(Toggle, true, "Serve the page"),
  }),
  limits_config: Limits,
  overrides: Schema.Record(Schema.String, LimitsOverride).annotate({
    description: "Limits of single tenants: the tenant, then any key of limits_config",
  }),
});

/** The effective configuration of a process. */
export type Settings = typeof Settings.Type;
