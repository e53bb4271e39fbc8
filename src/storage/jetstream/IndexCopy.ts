/** Where a process keeps its copy of the index: SQLite below its data directory, and how far the copy has followed the bucket.
 *  Owns the files, which can be deleted at any time; IndexReplica.ts owns what is in them. */
import { Effect, Exit, Scope } from "effect";
import { joinPath, nodeDisk, readTextFile } from "../../platform/files.ts";
import { openSqliteIndex } from "../embedded/SqliteIndex.ts";
import type { Index } from "../Index.ts";

/** A copy that outlives its process. */
export interface IndexCopy {
  /** Opens what was left, or an empty copy, and says which of the bucket's messages it has: those up to `seen`. */
  readonly open: () => Promise<{ readonly local: Index["Service"]; readonly seen: number }>;
  /** The copy may be ahead of the position, which costs applying some segments twice; it must never be behind. */
  readonly savePosition: (seen: number) => Promise<void>;
  readonly close: () => Promise<void>;
  /** Forgets all of it. It must be closed. */
  readonly remove: () => Promise<void>;
}

const fileName = "index-replica.sqlite";
const positionName = "index-replica.json";

/** A copy in `directory`. `created` tells this bucket from another one of the same name. */
export function sqliteCopy(directory: string, created: string): IndexCopy {
  let scope: Scope.Closeable | undefined;
  const positionPath = joinPath(directory, positionName);

  const readPosition = async (): Promise<number | undefined> => {
    try {
      const position = JSON.parse(await readTextFile(positionPath));
      const isOurs = position.created === created && Number.isSafeInteger(position.seen);
      return isOurs ? position.seen : undefined;
    } catch {
      return undefined;
    }
  };
  const remove = async () => {
    await nodeDisk.remove(positionPath);
    for (const suffix of ["", "-wal", "-shm"]) {
      await nodeDisk.remove(joinPath(directory, fileName + suffix));
    }
  };
  return {
    remove,
    open: async () => {
      await nodeDisk.makeDirectory(directory);
      const seen = await readPosition();
      if (seen === undefined) await remove();
      const opened = openSqliteIndex(joinPath(directory, fileName));
      const opening = Scope.makeUnsafe();
      const local = await Effect.runPromise(Effect.provideService(opened, Scope.Scope, opening));
      scope = opening;
      return { local, seen: seen ?? 0 };
    },
    savePosition: async (seen) => {
      const file = await nodeDisk.create(`${positionPath}.next`);
      try {
        await file.write([new TextEncoder().encode(JSON.stringify({ created, seen }))], 0);
        await file.syncData();
      } finally {
        await file.close();
      }
      await nodeDisk.rename(`${positionPath}.next`, positionPath);
    },
    close: async () => {
      if (scope !== undefined) await Effect.runPromise(Scope.close(scope, Exit.void));
      scope = undefined;
    },
  };
}
