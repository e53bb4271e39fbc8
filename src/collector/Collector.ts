/** The collector: sources > stages > batches > disk buffer > servers, put together from a configuration as
 *  layers. They end in reverse order: sources stop, the last batch is sealed and made durable, servers get a
 *  little time to take it, positions are saved. Each folder below owns its part. */
import { Effect, Layer } from "effect";
import { HttpRouter } from "effect/http";
import { httpServerLayer } from "../platform/httpServer.ts";
import { loggingLayer } from "../platform/logging.ts";
import { DataDirectory } from "../storage/embedded/DataDirectory.ts";
import { fileWriteLogLayer } from "../storage/embedded/FileWriteLog.ts";
import { CollectorMetrics } from "./collectorMetrics.ts";
import type { CollectorConfig } from "./config/collectorConfig.ts";
import { clientNames } from "./delivery/clientNames.ts";
import { Delivery } from "./delivery/Delivery.ts";
import { dryDeliveryLayer } from "./delivery/dryDelivery.ts";
import { PushClient } from "./delivery/PushClient.ts";
import { fileDiscoveryLayer } from "./discovery/FileDiscovery.ts";
import { kubernetesLayer } from "./discovery/kubernetes/KubernetesDiscovery.ts";
import { staticGroups } from "./discovery/staticTargets.ts";
import type { EntryPrinter } from "./dryRun.ts";
import { Lines } from "./Lines.ts";
import { pages } from "./pages.ts";
import { dockerLayer } from "./sources/docker/Docker.ts";
import { journalLayer } from "./sources/Journal.ts";
import { pushApiLayer } from "./sources/PushApi.ts";
import { startMessage } from "./startMessage.ts";
import { collectInput, inputConfig } from "./sources/Stdin.ts";
import { syslogLayer } from "./sources/Syslog.ts";
import { lineLimits } from "./tailing/lineLimits.ts";
import { FileTail } from "./tailing/FileTail.ts";

export interface CollectorOptions {
  readonly config: CollectorConfig;
  /** What in the configuration has probably another effect than was meant. */
  readonly warnings: ReadonlyArray<string>;
  /** Holds positions and the disk buffer. */
  readonly dataDirectory: string;
  readonly bufferBytesMax: number;
  /** Collects standard input until it ends, and nothing else. */
  readonly readsInput: boolean;
  /** Prints entries instead of sending them: reads from the start, keeps no positions, has no pages. */
  readonly dryRun?: EntryPrinter;
}

const megabyte = 1024 * 1024;
/** How long a stop waits for servers. */
const drainMs = 5_000;

/** Runs until it is interrupted, or standard input has ended if that is collected. Fails if it cannot start. */
export const collect = (options: CollectorOptions) => {
  const { config, readsInput, warnings } = options;
  const isDry = options.dryRun !== undefined;
  const begin = Effect.forEach(readsInput ? [] : warnings, (text) => Effect.logWarning(text)).pipe(
    Effect.andThen(Effect.logInfo(startMessage({ ...options, isDry }))),
  );
  const work = readsInput
    ? Effect.andThen(begin, collectInput(config)).pipe(Effect.provide(inputLayer(options)))
    : Effect.andThen(begin, Effect.never).pipe(Effect.provide(collectorLayer(options)));
  return work.pipe(Effect.provide(loggingLayer(config.server)));
};

function inputLayer(options: CollectorOptions) {
  const metrics = new CollectorMetrics();
  return Lines.layer(inputConfig(options.config), metrics).pipe(
    Layer.provide(deliveryLayer(options, metrics)),
  );
}

function collectorLayer(options: CollectorOptions) {
  const { config, dryRun } = options;
  const metrics = new CollectorMetrics();
  const isDry = dryRun !== undefined;
  return Layer.mergeAll(
    staticLayer,
    fileDiscoveryLayer,
    kubernetesLayer,
    dockerLayer(config.positions),
    journalLayer(config.positions),
    syslogLayer,
    pushApiLayer(lineLimits(config.limits_config)),
    isDry ? Layer.empty : pagesLayer(config),
  ).pipe(
    Layer.provideMerge(FileTail.layer(config)),
    Layer.provideMerge(Lines.layer(config, metrics, dryRun?.admit)),
    Layer.provide(isDry ? dryDeliveryLayer(dryRun) : deliveryLayer(options, metrics)),
  );
}

function deliveryLayer(
  { config, dataDirectory, bufferBytesMax }: CollectorOptions,
  metrics: CollectorMetrics,
) {
  return Layer.unwrap(Effect.gen(function* () {
    const clients = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const names = clientNames(config.clients);
          return config.clients.map((client, index) =>
            new PushClient(client, metrics, names[index]!)
          );
        },
        catch: (error) => error instanceof Error ? error : new Error(String(error)),
      }),
      (clients) => Effect.sync(() => clients.forEach((client) => client.close())),
    );
    const { sync_period: syncMs } = config.positions;
    const directory = dataDirectory;
    return Delivery.layer({ clients, metrics, directory, bufferBytesMax, syncMs, drainMs });
  })).pipe(
    Layer.provide(fileWriteLogLayer({
      segmentBytesMax: Math.min(8 * megabyte, bufferBytesMax / 4),
      logBytesMax: bufferBytesMax,
    })),
    Layer.provide(DataDirectory.layer(dataDirectory)),
  );
}

function pagesLayer({ server }: CollectorConfig) {
  if (server.disable) return Layer.empty;
  return HttpRouter.serve(pages(server.http_path_prefix, server.health_check_target), {
    disableLogger: true,
    disableListenLog: true,
  }).pipe(Layer.provide(httpServerLayer({
    host: server.http_listen_address || "0.0.0.0",
    port: server.http_listen_port,
    readTimeoutMs: server.http_server_read_timeout,
    idleTimeoutMs: server.http_server_idle_timeout,
    quietTimeoutMs: server.http_server_write_timeout,
    shutdownTimeoutMs: 1_000,
  })));
}

const staticLayer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { targets } = yield* FileTail;
    const { jobs } = yield* Lines;
    for (const job of jobs) targets.set(`static/${job.name}`, staticGroups(job));
  }),
);
