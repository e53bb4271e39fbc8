/** The write log in files: <data directory>/wal/<partition>/<first offset>.log. Owns the service, its limits and the partitions'
 *  lifetime; LogPartition.ts owns one partition's files and its group commit. Invariant: an offset is handed out after the
 *  fdatasync that made its record durable, never before. */
import { Context, Effect, Layer } from "effect";
import { type Disk, errorText, joinPath, nodeDisk } from "../../platform/files.ts";
import { WriteLog, WriteLogError } from "../WriteLog.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { payloadBytes } from "./logFile.ts";
import { type LogBudget, LogPartition } from "./LogPartition.ts";

export interface FileWriteLogOptions {
  /** A file that has reached this size is followed by a new one; release deletes whole files. */
  readonly segmentBytesMax: number;
  /** Bytes of all partitions that are not released; beyond it appends fail with Full. On disk it can be one file per
   *  partition more. */
  readonly logBytesMax: number;
  readonly recordBytesMax: number;
  /** Bytes per partition that may wait for their commit; beyond it appends fail with Full. */
  readonly queueBytesMax: number;
  /** The most that one fdatasync makes durable at once. */
  readonly groupBytesMax: number;
  readonly disk: Disk;
}

const megabyte = 1024 * 1024;

export const defaultFileWriteLogOptions: FileWriteLogOptions = {
  segmentBytesMax: 64 * megabyte,
  logBytesMax: 4096 * megabyte,
  recordBytesMax: 64 * megabyte,
  queueBytesMax: 64 * megabyte,
  groupBytesMax: 8 * megabyte,
  disk: nodeDisk,
};

/** The write log in files of the data directory. Partitions found there are checked at once; one that is damaged does not keep
 *  the others from starting: each use of it fails with Corrupt. */
export function fileWriteLogLayer(
  options: Partial<FileWriteLogOptions> = {},
): Layer.Layer<WriteLog, WriteLogError, DataDirectory> {
  return Layer.effect(
    WriteLog,
    Effect.gen(function* () {
      const { path } = yield* DataDirectory;
      const log = yield* Effect.acquireRelease(
        openLog(joinPath(path, "wal"), { ...defaultFileWriteLogOptions, ...options }),
        (log) => Effect.promise(() => log.close()),
      );
      return log.service;
    }),
  );
}

/** Opens the partitions below `directory` and reports what their check found. */
const openLog = Effect.fn("FileWriteLog.open")(
  function* (directory: string, options: FileWriteLogOptions) {
    const budget: LogBudget = { bytesMax: options.logBytesMax, bytesUsed: 0 };
    const partitions = new Map<number, LogPartition>();
    const partitionOf = (partition: number): LogPartition => {
      let found = partitions.get(partition);
      if (found === undefined) {
        const partitionDirectory = joinPath(directory, String(partition));
        found = new LogPartition({ ...options, directory: partitionDirectory, partition, budget });
        partitions.set(partition, found);
      }
      return found;
    };
    const names = yield* Effect.tryPromise({
      try: () => options.disk.list(directory),
      catch: (error) =>
        new WriteLogError({
          reason: "Io",
          partition: -1,
          message: `Cannot read the write log's directory "${directory}": ${errorText(error)}`,
        }),
    });
    for (const name of names.filter((name) => /^\d+$/.test(name))) {
      yield* reportScan(partitionOf(Number(name)));
    }
    const close = async () => {
      await Promise.all([...partitions.values()].map((partition) => partition.close()));
    };
    const known = () => [...partitions.keys()].sort((a, b) => a - b);
    return { service: makeService(partitionOf, known, options.recordBytesMax), close };
  },
);

/** Logs what the check cut off or why a partition cannot be used. */
const reportScan = Effect.fnUntraced(function* (partition: LogPartition) {
  const result = yield* Effect.promise(() =>
    partition.opened.catch((error: unknown) => errorText(error))
  );
  if (typeof result === "string") return yield* Effect.logError(result);
  for (const { path, cutBytes, nextOffset } of result) {
    yield* Effect.logWarning(
      `Cut ${cutBytes} bytes off the end of "${path}": after a crash they are a write that was not completed and not ` +
        `acknowledged; if the file was damaged otherwise, they held lines. The log continues at offset ${nextOffset}`,
    );
  }
});

function makeService(
  partitionOf: (partition: number) => LogPartition,
  known: () => ReadonlyArray<number>,
  recordBytesMax: number,
): Context.Service.Shape<typeof WriteLog> {
  const run = <Result>(partition: number, use: (log: LogPartition) => Promise<Result>) =>
    Effect.tryPromise({
      try: () => use(partitionOf(partition)),
      catch: (error) =>
        error instanceof WriteLogError ? error : new WriteLogError({
          reason: "Io",
          partition,
          message: `Write log of partition ${partition}: ${errorText(error)}`,
        }),
    });
  return WriteLog.of({
    recordBytesMax,
    append: (partition, ...parts) =>
      Effect.callback<number, WriteLogError>((resume) => {
        const bytes = payloadBytes(parts);
        if (bytes > recordBytesMax) {
          return resume(Effect.fail(tooLarge(partition, bytes, recordBytesMax)));
        }
        const withdraw = partitionOf(partition).append(parts, (result) => {
          resume(typeof result === "number" ? Effect.succeed(result) : Effect.fail(result));
        });
        return Effect.sync(withdraw);
      }),
    read: (partition, offset, bytesMax) => run(partition, (log) => log.read(offset, bytesMax)),
    release: (partition, offset) => run(partition, (log) => log.release(offset)),
    bounds: (partition) => run(partition, (log) => log.bounds()),
    partitions: Effect.sync(known),
  });
}

function tooLarge(partition: number, bytes: number, bytesMax: number): WriteLogError {
  return new WriteLogError({
    reason: "TooLarge",
    partition,
    message: `Write log of partition ${partition}: a record of ${bytes} bytes exceeds the limit ` +
      `of ${bytesMax}: send less at a time`,
  });
}
