/** The server: the roles of one process behind one HTTP port. roles.ts says what they are made of.
 *  Layers end in reverse order: stop listening and answer what runs, flush, stop the actors, close storage, give up the
 *  data directory. */
import { Effect, Layer } from "effect";
import { HttpRouter } from "effect/http";
import { localOverview } from "./actors/localCluster.ts";
import { ActorSystem } from "./actors/runtime/mod.ts";
import { Tailer } from "./actors/tailer/Tailer.ts";
import { clusterRoute } from "./api/clusterRoute.ts";
import { activeQueriesRoutes } from "./api/activeQueriesRoutes.ts";
import { actorsPage } from "./api/actorsPage.ts";
import { opsRoutes } from "./api/opsRoutes.ts";
import { methodRoutes } from "./api/methods.ts";
import { pageRoutes } from "./api/page.ts";
import { pushRoutes } from "./api/pushRoutes.ts";
import { exploreRoutes } from "./api/exploreRoutes.ts";
import { queryRoutes } from "./api/queryRoutes.ts";
import { ruleRoutes } from "./api/ruleRoutes.ts";
import { streamRoute } from "./api/streamRoute.ts";
import { Answers, HeldAnswers } from "./actors/HeldAnswers.ts";
import { tailRoute } from "./api/tailRoute.ts";
import type { Settings } from "./platform/config/mod.ts";
import {
  clusterLayer,
  compactorLayer,
  distributorLayer,
  embeddedLayer,
  ingesterLayer,
  querierLayer,
  rulerLayer,
} from "./roles.ts";
import { httpServerLayer } from "./platform/httpServer.ts";
import { loggingLayer } from "./platform/logging.ts";
import { dataPaths } from "./platform/paths.ts";
import { ClusterOverview } from "./storage/jetstream/clusterStatus.ts";

/** Runs the server until it is interrupted. Fails if it cannot start, or if an actor fails for good. */
export const serve = (settings: Settings) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem;
    const { http_listen_address: host, http_listen_port: port } = settings.server;
    yield* Effect.logInfo(
      `listening on http://${host}:${port}, data in ${dataPaths(settings.common.path_prefix).root}`,
    );
    const tailer = yield* Tailer;
    const stopping = Effect.logInfo("stopping: open requests and flushes may finish");
    // Requests get time to finish, live tails never would.
    yield* system.failure.pipe(Effect.ensuring(Effect.andThen(stopping, tailer.stop)));
  }).pipe(
    Effect.provide(processLayer(settings).pipe(Layer.provide(answersLayer(settings)))),
    Effect.onInterrupt(() => Effect.logInfo("stopped")),
    Effect.provide(loggingLayer(settings.server)),
  );

/** What all answers of this process may hold. */
function answersLayer({ querier }: Settings) {
  return Layer.effect(
    Answers,
    Effect.map(Effect.context<never>(), (context) =>
      new HeldAnswers({
        bytesMax: querier.max_held_response_bytes,
        onEnd: (reason) => Effect.runForkWith(context)(Effect.logWarning(reason)),
      })),
  );
}

/** The target's services and the routes that lead to them. */
function processLayer(settings: Settings): Layer.Layer<ActorSystem | Tailer, Error> {
  if (settings.storage.engine === "embedded") {
    const routes = Layer.mergeAll(allRoutes(settings), localClusterRoutes);
    return http(settings, routes).pipe(Layer.provideMerge(embeddedLayer(settings)));
  }
  switch (settings.target) {
    case "distributor":
      return http(settings, Layer.mergeAll(pushRoutes(settings), everyRoutes(settings))).pipe(
        Layer.provideMerge(distributorLayer(settings)),
      );
    case "ingester":
      return http(settings, everyRoutes(settings)).pipe(
        Layer.provideMerge(ingesterLayer(settings)),
      );
    case "querier":
    case "ui": {
      const routes = Layer.mergeAll(readRoutes(settings), everyRoutes(settings), clusterRoutes);
      return http(settings, routes).pipe(
        Layer.provideMerge(querierLayer(settings, settings.target === "querier")),
      );
    }
    case "ruler":
      return http(settings, Layer.mergeAll(ruleRoutes(settings), everyRoutes(settings))).pipe(
        Layer.provideMerge(rulerLayer(settings)),
      );
    case "compactor":
      return http(settings, everyRoutes(settings)).pipe(
        Layer.provideMerge(compactorLayer(settings)),
      );
    case "all":
      return http(settings, Layer.mergeAll(allRoutes(settings), clusterRoutes)).pipe(
        Layer.provideMerge(clusterLayer(settings)),
      );
  }
}

function allRoutes(settings: Settings) {
  return Layer.mergeAll(pushRoutes(settings), readRoutes(settings), everyRoutes(settings));
}

function readRoutes(settings: Settings) {
  return Layer.mergeAll(
    queryRoutes(settings),
    exploreRoutes(settings),
    tailRoute(settings),
    streamRoute(settings),
    activeQueriesRoutes(settings),
    ruleRoutes(settings),
    pageRoutes(settings),
  );
}

const localClusterRoutes = clusterRoute.pipe(Layer.provide(localOverview));
const clusterRoutes = clusterRoute.pipe(Layer.provide(ClusterOverview.layer));

/** What every process answers. */
function everyRoutes(settings: Settings) {
  return Layer.mergeAll(opsRoutes(settings), actorsPage(settings), methodRoutes);
}

function http<Failure, Services>(
  { server, limits_config }: Settings,
  routes: Layer.Layer<never, Failure, Services>,
) {
  return HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(httpServerLayer({
      host: server.http_listen_address,
      port: server.http_listen_port,
      readTimeoutMs: server.http_server_read_timeout,
      idleTimeoutMs: server.http_server_idle_timeout,
      // A query may think as long as it is allowed to before the first byte of its answer.
      quietTimeoutMs: limits_config.query_timeout + 60_000,
      shutdownTimeoutMs: server.graceful_shutdown_timeout,
    })),
  );
}
