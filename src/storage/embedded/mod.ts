/** The storage of one machine: the three ports on files below one data directory, which only one process can use at a time. */
import { Effect, Layer } from "effect";
import type { Settings } from "../../platform/config/mod.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { directoryObjectStoreLayer } from "./DirectoryObjectStore.ts";
import { fileWriteLogLayer } from "./FileWriteLog.ts";
import { Index } from "../Index.ts";
import { ObjectStore, type ObjectStoreError } from "../ObjectStore.ts";
import { s3ObjectStoreLayer } from "../s3/S3ObjectStore.ts";
import { sweepOrphans } from "../sweepOrphans.ts";
import { sqliteIndexLayer } from "./SqliteIndex.ts";
import { sqliteRuleStoreLayer } from "./SqliteRuleStore.ts";

export { DataDirectory, DataDirectoryError } from "./DataDirectory.ts";
export { rebuildEmbeddedIndex } from "./rebuildEmbeddedIndex.ts";

/** WriteLog, ObjectStore, Index and RuleStore in common.path_prefix. Fails with DataDirectoryError if another process uses it.
 *  Removes segments that an earlier process stored and did not live to commit. */
export function embeddedStorageLayer(settings: Settings) {
  const { wal } = settings.ingester;
  const writeLog = fileWriteLogLayer({
    segmentBytesMax: wal.file_target_size,
    logBytesMax: wal.max_size,
  });
  return sweepLayer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        writeLog,
        objectStoreLayer(settings),
        sqliteIndexLayer,
        sqliteRuleStoreLayer,
      ),
    ),
    Layer.provide(DataDirectory.layer(settings.common.path_prefix)),
  );
}

/** Segments in the data directory, or in S3. */
export function objectStoreLayer(
  { storage }: Settings,
): Layer.Layer<ObjectStore, ObjectStoreError, DataDirectory> {
  return storage.object_store === "s3"
    ? s3ObjectStoreLayer(storage.s3)
    : directoryObjectStoreLayer();
}

const sweepLayer = Layer.effectDiscard(
  Effect.gen(function* () {
    const removed = yield* sweepOrphans(yield* ObjectStore, yield* Index);
    if (removed.length === 0) return;
    yield* Effect.logInfo(
      `Removed ${removed.length} segments that were not committed and whose lines are in others: ` +
        removed.slice(0, 10).join(", "),
    );
  }),
);
