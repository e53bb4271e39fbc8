/** A process that appends to a file write log until it is killed, for FileWriteLog.crash.test.ts. Arguments: data directory,
 *  run number. Prints "ready" once the log is open, then "ack <partition> <offset> <text>" for each acknowledged record. */
import { Effect, Layer } from "effect";
import { writeSync } from "node:fs";
import { DataDirectory } from "../storage/embedded/DataDirectory.ts";
import { fileWriteLogLayer } from "../storage/embedded/FileWriteLog.ts";
import { WriteLog } from "../storage/WriteLog.ts";

const [directory = "", run = ""] = process.argv.slice(2);

/** Small enough that a run of a few hundred ms begins many files. */
const segmentBytesMax = 64 * 1024;
const writersPerPartition = 4;

const program = Effect.gen(function* () {
  const log = yield* WriteLog;
  writeSync(1, "ready\n");
  const writers = [0, 1].flatMap((partition) =>
    Array.from({ length: writersPerPartition }, (_, writer) =>
      Effect.gen(function* () {
        for (let count = 0;; count++) {
          const text = `${run}-${partition}-${writer}-${count}`;
          const bytes = Buffer.from(`${text} ${"x".repeat(count * 97 % 5000)}`);
          const offset = yield* log.append(partition, bytes);
          writeSync(1, `ack ${partition} ${offset} ${text}\n`);
        }
      }))
  );
  yield* Effect.all(writers, { concurrency: "unbounded" });
});

const layer = fileWriteLogLayer({ segmentBytesMax }).pipe(
  Layer.provide(DataDirectory.layer(directory)),
);
Effect.runPromise(program.pipe(Effect.provide(layer), Effect.scoped)).catch((error: Error) => {
  writeSync(2, `${error.message}\n`);
  process.exitCode = 1;
});
