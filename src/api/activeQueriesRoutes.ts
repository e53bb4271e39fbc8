/** `GET /tailrace/api/v1/queries`: what runs now for a tenant, and `DELETE` of one of them. ActiveQueries.ts keeps the list. */
import { Effect } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import type { Settings } from "../platform/config/mod.ts";
import { ActiveQueries, type ActiveQuery } from "../actors/querier/ActiveQueries.ts";
import { attempt } from "./apiCall.ts";
import { tenantOf } from "./request.ts";
import { respondError, respondFailure, respondJson } from "./respond.ts";

const activeQueriesPath = "/tailrace/api/v1/queries";

export const activeQueriesRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const active = yield* ActiveQueries;
    const tenant = Effect.gen(function* () {
      const { headers } = yield* HttpServerRequest.HttpServerRequest;
      return yield* attempt(() => tenantOf(settings, headers));
    });
    const refused = Effect.catch((error: unknown) => Effect.succeed(respondFailure(error)));
    yield* router.add(
      "GET",
      activeQueriesPath,
      Effect.gen(function* () {
        const queries = active.list(yield* tenant).map(listed);
        return yield* respondJson(JSON.stringify({ queries }));
      }).pipe(refused),
    );
    yield* router.add(
      "DELETE",
      `${activeQueriesPath}/:id`,
      Effect.gen(function* () {
        const id = (yield* HttpRouter.params)["id"] ?? "";
        if (active.cancel(yield* tenant, id)) return HttpServerResponse.empty({ status: 204 });
        return respondError(
          404,
          `no query "${id}" is running: it has ended, or is another tenant's`,
        );
      }).pipe(refused),
    );
  }));

function listed({ id, query, startedAtMs, progress }: ActiveQuery) {
  return {
    id,
    query,
    startedAt: new Date(startedAtMs).toISOString(),
    seconds: (Date.now() - startedAtMs) / 1000,
    partsDone: progress?.unitsDone ?? 0,
    partsTotal: progress?.unitsTotal ?? 0,
    bytesDone: progress?.bytesDone ?? 0,
    bytesTotal: progress?.bytesTotal ?? 0,
    linesMatched: progress?.rowsMatched ?? 0,
    linesScanned: progress?.stats.rowsScanned ?? 0,
    bytesScanned: progress?.stats.bytesScanned ?? 0,
  };
}
