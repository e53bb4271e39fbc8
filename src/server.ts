/** The server: every role in one process, on embedded storage, behind one HTTP port. Picks the layers and launches them.
 *  Layers end in reverse order: stop listening and answer what runs, flush, stop the actors, close storage, give up the
 *  data directory. */
import { Effect, Layer } from "effect";
import { HttpRouter } from "effect/http";
import { Distributor } from "./actors/distributor/Distributor.ts";
import { Ingester } from "./actors/ingester/Ingester.ts";
import { Querier } from "./actors/querier/Querier.ts";
import { ActorSystem } from "./actors/runtime/mod.ts";
import { Tailer } from "./actors/tailer/Tailer.ts";
import { Scanners } from "./actors/Scanners.ts";
import { Workers } from "./actors/Workers.ts";
import { actorsPage } from "./api/actorsPage.ts";
import { opsRoutes } from "./api/opsRoutes.ts";
import { methodRoutes } from "./api/methods.ts";
import { pageRoutes } from "./api/page.ts";
import { pushRoutes } from "./api/pushRoutes.ts";
import { queryRoutes } from "./api/queryRoutes.ts";
import { streamRoute } from "./api/streamRoute.ts";
import { tailRoute } from "./api/tailRoute.ts";
import { Nats } from "./cluster/Nats.ts";
import type { Settings } from "./platform/config/mod.ts";
import { httpServerLayer } from "./platform/httpServer.ts";
import { loggingLayer } from "./platform/logging.ts";
import { dataPaths } from "./platform/paths.ts";
import { embeddedStorageLayer } from "./storage/embedded/mod.ts";
import { jetStreamStorageLayer } from "./storage/jetstream/mod.ts";

/** Scan jobs that may wait for a thread, of all queries together. */
const scanQueueMax = 4096;

/** Runs the server until it is interrupted. Fails if it cannot start, or if an actor fails for good. */
export const serve = (settings: Settings) =>
  Effect.gen(function* () {
    const system = yield* ActorSystem;
    const { http_listen_address: host, http_listen_port: port } = settings.server;
    yield* Effect.logInfo(
      `listening on http://${host}:${port}, data in ${dataPaths(settings.common.path_prefix).root}`,
    );
    const tailer = yield* Tailer;
    // Requests get time to finish, live tails never would.
    yield* system.failure.pipe(Effect.ensuring(tailer.stop));
  }).pipe(
    Effect.provide(httpLayer(settings).pipe(Layer.provideMerge(rolesLayer(settings)))),
    Effect.provide(loggingLayer(settings.server)),
  );

/** The roles on one machine, in dataflow order. */
function rolesLayer(settings: Settings) {
  const { storage, scanners, objectDirectory } = storageOf(settings);
  const threads = Workers.layer({
    threadCount: settings.querier.workers,
    queueMax: scanQueueMax,
    workerData: { objectDirectory },
  });
  const actors = ActorSystem.layer({ drainMs: settings.server.graceful_shutdown_timeout });
  return Layer.mergeAll(Distributor.layer(settings), Querier.layer(settings)).pipe(
    Layer.provideMerge(Tailer.layer),
    Layer.provideMerge(Ingester.layer(settings)),
    Layer.provideMerge(scanners),
    Layer.provideMerge(Layer.mergeAll(actors, threads)),
    Layer.provideMerge(storage),
  );
}

/** Where logs are kept, how scan threads come to them, and the directory in which those look. */
function storageOf(settings: Settings) {
  const paths = dataPaths(settings.common.path_prefix);
  if (settings.storage.engine === "embedded") {
    const storage = embeddedStorageLayer(settings);
    return { storage, scanners: Scanners.local, objectDirectory: paths.objects };
  }
  const storage = jetStreamStorageLayer(settings).pipe(Layer.provide(Nats.layer(settings)));
  const directory = paths.cachedSegments;
  const scanners = Scanners.cached({ directory, bytesMax: settings.storage.cache_size });
  return { storage, scanners, objectDirectory: directory };
}

function httpLayer(settings: Settings) {
  const { server } = settings;
  const routes = Layer.mergeAll(
    pushRoutes(settings),
    queryRoutes(settings),
    tailRoute(settings),
    streamRoute(settings),
    opsRoutes(settings),
    actorsPage(settings),
    pageRoutes(settings),
    methodRoutes,
  );
  return HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(httpServerLayer({
      host: server.http_listen_address,
      port: server.http_listen_port,
      readTimeoutMs: server.http_server_read_timeout,
      idleTimeoutMs: server.http_server_idle_timeout,
      // A query may think as long as it is allowed to before the first byte of its answer.
      quietTimeoutMs: settings.limits_config.query_timeout + 60_000,
      shutdownTimeoutMs: server.graceful_shutdown_timeout,
    })),
  );
}
