/** `server`: the collector's own HTTP server (/metrics, /ready, /targets), and that of a job with
 *  loki_push_api. Names and defaults are Promtail's. What tunes machinery that the collector does
 *  without (gRPC, profiling, links) is accepted, so that configurations run unchanged; docs/collector.md
 *  lists it. */
import { Schema } from "effect";
import { ListenHost } from "./addresses.ts";
import {
  DurationMs,
  Text,
  Toggle,
  unsupported,
  wholeNumber,
  withDefault,
  word,
} from "./scalars.ts";

const withoutEffect = Schema.optional(Text);

export const ServerConfig = Schema.Struct({
  disable: withDefault(Toggle, false),
  http_listen_address: withDefault(ListenHost, ""),
  http_listen_port: withDefault(wholeNumber(0, 65535), 80),
  http_path_prefix: withDefault(Text, ""),
  http_server_read_timeout: withDefault(DurationMs, "30s"),
  http_server_write_timeout: withDefault(DurationMs, "30s"),
  http_server_idle_timeout: withDefault(DurationMs, "2m"),
  log_level: withDefault(word("debug", "info", "warn", "error"), "info"),
  log_format: withDefault(word("logfmt", "json"), "logfmt"),
  health_check_target: withDefault(Toggle, true),
  http_tls_config: unsupported("TLS on the collector's own pages", "put a proxy in front"),
  enable_runtime_reload: withDefault(Toggle, false).check(
    Schema.makeFilter((enabled) =>
      !enabled || "is not supported: restart the collector, which goes on where it was"
    ),
  ),
  // A loki_push_api receives pushes of that many bytes, as gRPC messages of Promtail's would be.
  grpc_server_max_recv_msg_size: withDefault(wholeNumber(1), 4194304),
  graceful_shutdown_timeout: withoutEffect,
  external_url: withoutEffect,
  grpc_listen_address: withoutEffect,
  grpc_listen_port: withoutEffect,
  grpc_server_max_send_msg_size: withoutEffect,
  grpc_server_max_concurrent_streams: withoutEffect,
  register_instrumentation: withoutEffect,
  profiling_enabled: withoutEffect,
  reload: withoutEffect,
});

export type ServerConfig = typeof ServerConfig.Type;
