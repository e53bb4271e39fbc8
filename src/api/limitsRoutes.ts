/** What a tenant may do, for people and for Grafana's log exploration, which adapts to it. */
import { Effect } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { serviceLabels } from "../actors/distributor/tenantStreams.ts";
import { formatDuration } from "../logql/units.ts";
import { type Limits, limitsFor, printLimits, type Settings } from "../platform/config/mod.ts";
import { version } from "../platform/version.ts";
import { addReadRoute, addResponseRoute } from "./readRoute.ts";

export const limitsRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    yield* addReadRoute(
      router,
      settings,
      "/loki/api/v1/drilldown-limits",
      ({ tenant }) => Effect.succeed(drilldownLimits(settings, limitsFor(settings, tenant))),
    );
    yield* addResponseRoute(
      router,
      settings,
      "/config/tenant/v1/limits",
      ({ tenant }) =>
        Effect.succeed(
          HttpServerResponse.text(printLimits(limitsFor(settings, tenant)), {
            contentType: "text/plain; charset=utf-8",
          }),
        ),
    );
  }));

/** As Loki names them: durations are text, and there is no retention but for ever. */
function drilldownLimits(settings: Settings, limits: Limits): string {
  const duration = (milliseconds: number) => formatDuration(BigInt(milliseconds) * 1_000_000n);
  return JSON.stringify({
    limits: {
      discover_log_levels: limits.discover_log_levels,
      discover_service_name: limits.discover_service_name ? serviceLabels : [],
      log_level_fields: ["level", "LEVEL", "Level", "severity", "SEVERITY", "Severity", "lvl"],
      max_entries_limit_per_query: limits.max_entries_limit_per_query,
      max_line_size_truncate: limits.max_line_size_truncate,
      max_query_bytes_read: String(limits.max_query_bytes_read),
      max_query_length: duration(limits.max_query_length),
      max_query_lookback: duration(limits.max_query_lookback),
      max_query_range: duration(limits.max_query_range),
      max_query_series: limits.max_query_series,
      metric_aggregation_enabled: false,
      otlp_config: limits.otlp_config,
      pattern_persistence_enabled: false,
      query_timeout: duration(limits.query_timeout),
      retention_period: "0s",
      retention_stream: [],
      volume_enabled: limits.volume_enabled,
      volume_max_series: 100_000,
    },
    pattern_ingester_enabled: settings.querier.patterns_enabled,
    version,
  });
}
