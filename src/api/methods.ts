/** Answers 405 where a path exists and the method does not: without it the page's catch-all would say 404. */
import { Effect } from "effect";
import { HttpRouter } from "effect/http";
import { respondError } from "./respond.ts";

const paths: ReadonlyArray<readonly [path: HttpRouter.PathInput, allow: string]> = [
  ["/loki/api/v1/push", "POST"],
  ["/api/prom/push", "POST"],
  ["/loki/api/v1/query_range", "GET, POST"],
  ["/loki/api/v1/labels", "GET, POST"],
  ["/loki/api/v1/label", "GET, POST"],
  ["/loki/api/v1/label/:name/values", "GET, POST"],
  ["/loki/api/v1/series", "GET, POST"],
  ["/loki/api/v1/index/stats", "GET, POST"],
  ["/loki/api/v1/index/volume", "GET, POST"],
  ["/loki/api/v1/index/volume_range", "GET, POST"],
  ["/loki/api/v1/detected_labels", "GET, POST"],
  ["/loki/api/v1/detected_fields", "GET, POST"],
  ["/loki/api/v1/detected_field/:name/values", "GET, POST"],
  ["/loki/api/v1/query", "GET, POST"],
  ["/loki/api/v1/patterns", "GET, POST"],
  ["/loki/api/v1/format_query", "GET, POST"],
  ["/loki/api/v1/drilldown-limits", "GET, POST"],
  ["/config/tenant/v1/limits", "GET, POST"],
  ["/api/prom/query", "GET, POST"],
  ["/api/prom/label", "GET, POST"],
  ["/api/prom/label/:name/values", "GET, POST"],
  ["/api/prom/series", "GET, POST"],
  ["/config", "GET"],
  ["/services", "GET"],
  ["/loki/api/v1/tail", "GET"],
  ["/loki/api/v1/rules", "GET"],
  ["/loki/api/v1/rules/:namespace", "GET, POST, DELETE"],
  ["/loki/api/v1/rules/:namespace/:group", "GET, DELETE"],
  ["/api/prom/rules", "GET"],
  ["/api/prom/rules/:namespace", "GET, POST, DELETE"],
  ["/api/prom/rules/:namespace/:group", "GET, DELETE"],
  ["/prometheus/api/v1/rules", "GET, POST"],
  ["/prometheus/api/v1/alerts", "GET, POST"],
  ["/tailrace/api/v1/query", "GET"],
  ["/tailrace/api/v1/queries", "GET"],
  ["/tailrace/api/v1/queries/:id", "DELETE"],
  ["/loki/api/v1/status/buildinfo", "GET"],
  ["/ready", "GET"],
  ["/metrics", "GET"],
  ["/flush", "GET, POST"],
];

export const methodRoutes = HttpRouter.use(Effect.fnUntraced(function* (router) {
  for (const [path, allow] of paths) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"] as const) {
      if (allow.split(", ").includes(method)) continue;
      const message = `405 method not allowed: this path takes ${allow}`;
      yield* router.add(method, path, respondError(405, message, { allow }));
    }
  }
}));
