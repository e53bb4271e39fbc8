/** `GET /tailrace/api/v1/cluster`: what `tailrace cluster status` shows, for the page and for monitoring. Owns the route;
 *  storage/jetstream/clusterStatus.ts asks NATS. */
import { Effect } from "effect";
import { HttpRouter } from "effect/http";
import { ClusterOverview, clusterProblems } from "../storage/jetstream/clusterStatus.ts";
import { respondError, respondJson } from "./respond.ts";

export const clusterRoute = HttpRouter.use(Effect.fnUntraced(function* (router) {
  const overview = yield* ClusterOverview;
  const answer = overview.read.pipe(
    Effect.mapError((text) => respondError(503, `NATS does not answer: ${text}`)),
    Effect.flatMap((status) =>
      respondJson(JSON.stringify({ ...status, problems: clusterProblems(status) }))
    ),
    Effect.catch((error) =>
      Effect.succeed("message" in error ? respondError(503, error.message) : error)
    ),
  );
  yield* router.add("GET", "/tailrace/api/v1/cluster", answer);
}));
