/** The storage of one machine: the three ports on files below one data directory, which only one process can use at a time. */
import { Layer } from "effect";
import type { Settings } from "../../platform/config/mod.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { directoryObjectStoreLayer } from "./DirectoryObjectStore.ts";
import { fileWriteLogLayer } from "./FileWriteLog.ts";
import { sqliteIndexLayer } from "./SqliteIndex.ts";

export { DataDirectory, DataDirectoryError } from "./DataDirectory.ts";
export { rebuildEmbeddedIndex } from "./rebuildEmbeddedIndex.ts";

/** WriteLog, ObjectStore and Index in common.path_prefix. Fails with DataDirectoryError if another process uses it. */
export function embeddedStorageLayer(settings: Settings) {
  const { wal } = settings.ingester;
  const writeLog = fileWriteLogLayer({
    segmentBytesMax: wal.file_target_size,
    logBytesMax: wal.max_size,
  });
  return Layer.mergeAll(writeLog, directoryObjectStoreLayer(), sqliteIndexLayer).pipe(
    Layer.provide(DataDirectory.layer(settings.common.path_prefix)),
  );
}
