/** The directory that holds everything of one process: wal/, objects/, index.sqlite. Owns the promise that no other process
 *  uses it; the embedded stores own their parts of it and need this service, so they cannot start without the lock. */
import { Context, Effect, Layer, Schema } from "effect";
import { lockDirectory } from "../../platform/directoryLock.ts";

export class DataDirectoryError extends Schema.TaggedError<DataDirectoryError>()(
  "DataDirectoryError",
  { path: Schema.String, message: Schema.String },
) {}

export class DataDirectory extends Context.Service<DataDirectory, {
  readonly path: string;
}>()("tailrace/storage/embedded/DataDirectory") {
  /** Holds `path` for as long as the layer lives. Fails if another process holds it, naming that. */
  static readonly layer = (path: string): Layer.Layer<DataDirectory, DataDirectoryError> =>
    Layer.effect(
      DataDirectory,
      Effect.acquireRelease(
        Effect.try({
          try: () => lockDirectory(path),
          catch: (error) =>
            new DataDirectoryError({
              path,
              message: error instanceof Error ? error.message : String(error),
            }),
        }),
        (lock) => Effect.sync(lock.release),
      ).pipe(Effect.as({ path })),
    );
}
