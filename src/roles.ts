/** Which layers a process is made of: its roles on one machine's files, or any of a cluster's
 *  roles on NATS. server.ts runs them. */
import { Context, Effect, Layer } from "effect";
import { Compactor, CompactorTurns } from "./actors/compactor/Compactor.ts";
import { clusterTurns } from "./actors/compactor/compactorTurns.ts";
import { clusterIngesterLayer } from "./actors/ingester/clusterIngester.ts";
import { Distributor } from "./actors/distributor/Distributor.ts";
import { Handover } from "./actors/distributor/Handover.ts";
import { Ingester } from "./actors/ingester/Ingester.ts";
import { PartitionOwners } from "./actors/ingester/PartitionOwners.ts";
import { sweepLayer } from "./actors/ingester/sweepStorage.ts";
import { ActiveQueries } from "./actors/querier/ActiveQueries.ts";
import { Querier } from "./actors/querier/Querier.ts";
import { Notifier } from "./actors/ruler/Notifier.ts";
import { RemoteWrite } from "./actors/ruler/RemoteWrite.ts";
import { RuleBook } from "./actors/ruler/RuleBook.ts";
import { RuleQueries } from "./actors/ruler/RuleQueries.ts";
import { ruleQueriesOverNats, serveRuleQueries } from "./actors/ruler/ruleQueriesBus.ts";
import { evaluateRules } from "./actors/ruler/Ruler.ts";
import { RuleShards } from "./actors/ruler/RuleShards.ts";
import { ActorSystem } from "./actors/runtime/mod.ts";
import { shareScans } from "./actors/querier/scanBus.ts";
import { Scanners } from "./actors/Scanners.ts";
import { clusterTailerLayer } from "./actors/tailer/clusterTailer.ts";
import { Tailer } from "./actors/tailer/Tailer.ts";
import { Workers } from "./actors/Workers.ts";
import { MicroService } from "./cluster/microService.ts";
import { Nats } from "./cluster/Nats.ts";
import type { Settings } from "./platform/config/mod.ts";
import { dataPaths } from "./platform/paths.ts";
import { coreCount, systemName } from "./platform/system.ts";
import { embeddedStorageLayer } from "./storage/embedded/mod.ts";
import { jetStreamRuleStoreLayer } from "./storage/jetstream/JetStreamRuleStore.ts";
import { jetStreamWriteLogLayer } from "./storage/jetstream/JetStreamWriteLog.ts";
import { jetStreamStorageLayer } from "./storage/jetstream/mod.ts";

/** Scan jobs that may wait for a thread, of all queries together. */
const scanQueueMax = 4096;

/** All roles in one process, on files that no other process has. */
export function embeddedLayer(settings: Settings) {
  return evaluatingRules(settings, RuleShards.alone).pipe(
    Layer.provideMerge(Layer.mergeAll(
      Distributor.layer(settings).pipe(Layer.provide(Handover.local)),
      Querier.layer(settings),
      Compactor.layer(settings).pipe(Layer.provide(CompactorTurns.all)),
    )),
    Layer.provideMerge(Layer.mergeAll(Tailer.layer, ActiveQueries.layer)),
    Layer.provideMerge(Ingester.layer(settings)),
    Layer.provideMerge(ownScanners(settings)),
    Layer.provideMerge(threadsAndActors(settings, segmentDirectory(settings))),
    Layer.provideMerge(embeddedStorageLayer(settings)),
  );
}

/** Segments are read in place, or from S3 over a cache. */
function ownScanners(settings: Settings) {
  return settings.storage.object_store === "s3"
    ? Scanners.cached(segmentCache(settings))
    : Scanners.local;
}

function segmentDirectory({ common, storage }: Settings): string {
  const { cachedSegments, objects } = dataPaths(common.path_prefix);
  return storage.object_store === "s3" ? cachedSegments : objects;
}

function segmentCache({ common, storage }: Settings) {
  return {
    directory: dataPaths(common.path_prefix).cachedSegments,
    bytesMax: storage.cache_size,
  };
}

/** A distributor needs nothing but the write log, which an ingester has made. */
export function distributorLayer(settings: Settings) {
  return Distributor.layer(settings).pipe(
    Layer.provide(Handover.byLog),
    Layer.provideMerge(Layer.mergeAll(Tailer.layer, Ingester.none, actors(settings))),
    Layer.provideMerge(
      jetStreamWriteLogLayer({
        partitionBytesMax: settings.nats.log_max_bytes,
        createsLogs: false,
      }),
    ),
    Layer.provideMerge(Nats.layer(settings)),
  );
}

export function ingesterLayer(settings: Settings) {
  const { cachedSegments } = dataPaths(settings.common.path_prefix);
  return clusterIngesterLayer(settings).pipe(
    Layer.provide(ownersLayer(settings)),
    Layer.provideMerge(Layer.mergeAll(Tailer.layer, threadsAndActors(settings, cachedSegments))),
    Layer.provideMerge(jetStreamStorageLayer(settings, true)),
    Layer.provideMerge(Nats.layer(settings)),
  );
}

/** A querier; one that `takesJobs` not leaves the scans of stored segments to the others: that is the target ui. */
export function querierLayer(settings: Settings, takesJobs: boolean) {
  const { cachedSegments } = dataPaths(settings.common.path_prefix);
  return (takesJobs ? sharedQuerier(settings) : Querier.layer(settings)).pipe(
    Layer.provideMerge(RuleBook.layer(settings)),
    Layer.provideMerge(Layer.mergeAll(jetStreamRuleStoreLayer, ActiveQueries.layer)),
    Layer.provideMerge(clusterTailerLayer),
    Layer.provideMerge(clusterIngesterLayer(settings)),
    Layer.provideMerge(sharedScanners(settings, takesJobs)),
    Layer.provideMerge(querierService(takesJobs)),
    Layer.provideMerge(threadsAndActors(settings, cachedSegments)),
    Layer.provideMerge(jetStreamStorageLayer(settings, false)),
    Layer.provideMerge(Nats.layer(settings)),
  );
}

/** A ruler keeps nothing itself: it asks queriers, and states are in NATS. */
export function rulerLayer(settings: Settings) {
  return rulesOf(settings, RuleShards.leased).pipe(
    Layer.provideMerge(RuleBook.layer(settings)),
    Layer.provideMerge(ruleQueriesOverNats(settings)),
    Layer.provideMerge(Layer.mergeAll(Tailer.layer, Ingester.none, actors(settings))),
    Layer.provideMerge(jetStreamRuleStoreLayer),
    Layer.provideMerge(Nats.layer(settings)),
  );
}

/** Merges and deletes segments; all of its threads may be at it. */
export function compactorLayer(settings: Settings) {
  const { cachedSegments } = dataPaths(settings.common.path_prefix);
  const cache = { directory: cachedSegments, bytesMax: settings.compactor.merge_target_bytes * 4 };
  const concurrency = settings.querier.workers === 0 ? coreCount() : settings.querier.workers;
  return Compactor.layer(settings, concurrency).pipe(
    Layer.provide(clusterTurns(settings)),
    Layer.provideMerge(Scanners.cached(cache)),
    Layer.provideMerge(
      Layer.mergeAll(
        Tailer.layer,
        Ingester.none,
        threadsAndActors(settings, cachedSegments),
      ),
    ),
    Layer.provideMerge(jetStreamStorageLayer(settings, false)),
    Layer.provideMerge(Nats.layer(settings)),
  );
}

/** Every role of a cluster in one process, of which there can be any number. */
export function clusterLayer(settings: Settings) {
  const { cachedSegments } = dataPaths(settings.common.path_prefix);
  return evaluatingRules(settings, RuleShards.leased).pipe(
    Layer.provideMerge(Layer.mergeAll(
      Distributor.layer(settings).pipe(Layer.provide(Handover.byLog)),
      sharedQuerier(settings),
      Compactor.layer(settings).pipe(Layer.provide(clusterTurns(settings))),
    )),
    Layer.provideMerge(Layer.mergeAll(jetStreamRuleStoreLayer, ActiveQueries.layer)),
    Layer.provideMerge(clusterTailerLayer),
    Layer.provideMerge(clusterIngesterLayer(settings).pipe(Layer.provide(ownersLayer(settings)))),
    Layer.provideMerge(sharedScanners(settings, true)),
    Layer.provideMerge(querierService(true)),
    Layer.provideMerge(threadsAndActors(settings, cachedSegments)),
    Layer.provideMerge(jetStreamStorageLayer(settings, true)),
    Layer.provideMerge(Nats.layer(settings)),
  );
}

function ownersLayer(settings: Settings) {
  return Layer.unwrap(Effect.gen(function* () {
    const service = yield* microService("tailrace-ingester");
    return sweepLayer(settings).pipe(
      Layer.provideMerge(PartitionOwners.layer(settings, service)),
    );
  }));
}

/** Rules are evaluated by this process, with its own querier. */
function evaluatingRules<E, R>(settings: Settings, shards: Layer.Layer<RuleShards, E, R>) {
  return rulesOf(settings, shards).pipe(
    Layer.provideMerge(RuleBook.layer(settings)),
    Layer.provideMerge(RuleQueries.layer(settings)),
  );
}

function rulesOf<E, R>(settings: Settings, shards: Layer.Layer<RuleShards, E, R>) {
  return evaluateRules(settings).pipe(
    Layer.provide(Layer.mergeAll(shards, Notifier.layer(settings), RemoteWrite.layer(settings))),
  );
}

/** A querier that others ask too: what rules want to know. */
function sharedQuerier(settings: Settings) {
  const answering = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* serveRuleQueries(yield* QuerierService);
    }),
  ).pipe(Layer.provide(RuleQueries.layer(settings)));
  return answering.pipe(Layer.provideMerge(Querier.layer(settings)));
}

/** Scan jobs go to the querier that should have the segment. */
function sharedScanners(settings: Settings, takesJobs: boolean) {
  return Layer.effect(
    Scanners,
    Effect.gen(function* () {
      return yield* shareScans(yield* Nats, yield* QuerierService, yield* Scanners, takesJobs);
    }),
  ).pipe(Layer.provide(Scanners.cached(segmentCache(settings))));
}

/** This process as one of those that answer queriers and rulers. */
class QuerierService extends Context.Service<QuerierService, MicroService>()(
  "tailrace/roles/QuerierService",
) {}

const microService = Effect.fnUntraced(function* (name: string) {
  const link = yield* Nats;
  const id = `${systemName()}-${crypto.randomUUID().slice(0, 8)}`;
  return yield* Effect.acquireRelease(
    Effect.sync(() => new MicroService(link, name, id)),
    (service) => Effect.sync(() => service.close()),
  );
});

const querierService = (takesJobs: boolean) =>
  Layer.effect(QuerierService, microService(takesJobs ? "tailrace-querier" : "tailrace-ui"));

function threadsAndActors(settings: Settings, objectDirectory: string) {
  const threads = Workers.layer({
    threadCount: settings.querier.workers,
    queueMax: scanQueueMax,
    workerData: { objectDirectory },
  });
  return Layer.mergeAll(actors(settings), threads);
}

function actors({ server }: Settings) {
  return ActorSystem.layer({ drainMs: server.graceful_shutdown_timeout });
}
