/** `tailrace rebuild-index`: makes <data directory>/index.sqlite again from the segments. The new index is made beside the old one
 *  and takes its place when it is complete, so an interrupted rebuild changes nothing. */
import { Effect } from "effect";
import { errorText, joinPath, nodeDisk } from "../../platform/files.ts";
import { IndexError } from "../Index.ts";
import { ObjectStore } from "../ObjectStore.ts";
import { rebuildIndex } from "../rebuildIndex.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { indexFileName, openSqliteIndex } from "./SqliteIndex.ts";

/** SQLite's files of one database: itself, its log, the log's shared memory. */
const suffixes = ["", "-wal", "-shm"];

/** Rebuilds the index of the data directory, which must not be open. */
export const rebuildEmbeddedIndex = Effect.fn("rebuildEmbeddedIndex")(function* () {
  const { path } = yield* DataDirectory;
  const objectStore = yield* ObjectStore;
  const file = joinPath(path, indexFileName);
  const next = `${file}.rebuild`;
  const disk = (what: string, run: () => Promise<void>) =>
    Effect.tryPromise({
      try: run,
      catch: (error) =>
        new IndexError({ reason: "Io", message: `Cannot ${what}: ${errorText(error)}` }),
    });
  yield* disk(`remove "${next}"`, () => removeDatabase(next));
  const report = yield* openSqliteIndex(next).pipe(
    Effect.flatMap((index) => rebuildIndex(objectStore, index)),
    Effect.scoped,
  );
  // Closing has moved everything from SQLite's log into the file itself. The old log must be gone before the new file has the
  // name, or it would be applied to that.
  yield* disk(`replace "${file}"`, async () => {
    await removeDatabase(file);
    await nodeDisk.syncDirectory(path);
    await nodeDisk.rename(next, file);
    await nodeDisk.syncDirectory(path);
  });
  return report;
});

async function removeDatabase(file: string): Promise<void> {
  for (const suffix of suffixes) await nodeDisk.remove(file + suffix);
}
