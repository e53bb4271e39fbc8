/** `GET /tailrace/api/v1/cluster`: what `tailrace cluster status` shows, for the page and for monitoring. Owns the route;
 *  storage/jetstream/clusterStatus.ts asks NATS. */
import { Effect } from "effect";
import { HttpRouter } from "effect/http";
import { Nats } from "../cluster/Nats.ts";
import { errorText } from "../platform/files.ts";
import { clusterProblems, readClusterStatus } from "../storage/jetstream/clusterStatus.ts";
import { respondError, respondJson } from "./respond.ts";

export const clusterRoute = HttpRouter.use(Effect.fnUntraced(function* (router) {
  const link = yield* Nats;
  const answer = Effect.tryPromise({
    try: async () => {
      const status = await readClusterStatus(link);
      return JSON.stringify({ ...status, problems: clusterProblems(status) });
    },
    catch: (error) => errorText(error),
  }).pipe(
    Effect.flatMap(respondJson),
    Effect.catch((error) =>
      Effect.succeed(respondError(503, `NATS does not answer: ${errorText(error)}`))
    ),
  );
  yield* router.add("GET", "/tailrace/api/v1/cluster", answer);
}));
