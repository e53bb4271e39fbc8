/** The storage of a cluster: the three ports in one NATS account, which any number of processes share. */
import { Layer } from "effect";
import type { Settings } from "../../platform/config/mod.ts";
import { dataPaths } from "../../platform/paths.ts";
import { DataDirectory } from "../embedded/DataDirectory.ts";
import { s3ObjectStoreLayer } from "../s3/S3ObjectStore.ts";
import { sqliteCopy } from "./IndexCopy.ts";
import { jetStreamIndexLayer } from "./JetStreamIndex.ts";
import { jetStreamObjectStoreLayer } from "./JetStreamObjectStore.ts";
import { jetStreamWriteLogLayer } from "./JetStreamWriteLog.ts";

/** WriteLog, ObjectStore and Index in NATS, or segments in S3. common.path_prefix holds copies only, of this process alone.
 *  `createsLogs`: see JetStreamWriteLogOptions. */
export function jetStreamStorageLayer(settings: Settings, createsLogs: boolean) {
  const { cache } = dataPaths(settings.common.path_prefix);
  return Layer.mergeAll(
    jetStreamWriteLogLayer({ partitionBytesMax: settings.nats.log_max_bytes, createsLogs }),
    settings.storage.object_store === "s3"
      ? s3ObjectStoreLayer(settings.storage.s3)
      : jetStreamObjectStoreLayer({ shards: settings.nats.object_shards }),
    jetStreamIndexLayer({ copyOf: (created) => sqliteCopy(cache, created) }),
  ).pipe(Layer.provideMerge(DataDirectory.layer(settings.common.path_prefix)));
}
