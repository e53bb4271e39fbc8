/** `tailrace inspect`: shows what a segment or a write log file holds, without changing it. Owns the text; the formats belong to
 *  streams/segment.ts, streams/batch.ts and storage/embedded/logFile.ts. */
import { Effect } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { type DiskFile, errorText, nodeDisk } from "../platform/files.ts";
import { writeOutput } from "../platform/terminal.ts";
import {
  decodeFileHeader,
  fileHeaderBytes,
  parseRecord,
  recordHeaderBytes,
} from "../storage/embedded/logFile.ts";
import { decodeBatch } from "../streams/batch.ts";
import { readSegmentFooter, type SegmentFooter, verifySegment } from "../streams/segment.ts";
import { formatNanoseconds } from "./entryPrinter.ts";
import { failed } from "./failure.ts";

const segment = Command.make(
  "segment",
  {
    chunks: Flag.Boolean("chunks").pipe(
      Flag.withDescription("Also print each chunk of each stream"),
      Flag.withDefault(false),
    ),
    verify: Flag.Boolean("verify").pipe(
      Flag.withDescription("Read and check every byte, not only the footer"),
      Flag.withDefault(false),
    ),
    file: Argument.File("file", { mustExist: true }).pipe(
      Argument.withDescription("A segment: a file below objects/ in the data directory"),
    ),
  },
  ({ file, chunks, verify }) =>
    withFile(file, async (handle) => {
      const size = await handle.size();
      const footer = verify
        ? verifySegment(await handle.read(0, size))
        : await readSegmentFooter((offset, length) => handle.read(offset, length), size);
      await writeOutput(describeSegment(footer, chunks).join("\n") + "\n");
      if (verify) await writeOutput("Every byte is as it was written.\n");
    }),
).pipe(
  Command.withShortDescription("Show what a segment holds"),
  Command.withDescription("Show the streams of a segment: rows, bytes and times."),
  Command.withExamples([
    {
      command: "tailrace inspect segment data/objects/... --verify",
      description: "Is this segment sound?",
    },
  ]),
);

const log = Command.make(
  "log",
  {
    file: Argument.File("file", { mustExist: true }).pipe(
      Argument.withDescription("A write log file: wal/<partition>/<offset>.log"),
    ),
  },
  ({ file }) => withFile(file, printLog),
).pipe(
  Command.withShortDescription("Show the batches of a write log file"),
  Command.withDescription(
    "Show each record of a write log file: offset, tenant, streams, rows and times.",
  ),
);

export const inspect = Command.make("inspect").pipe(
  Command.withShortDescription("Show what a file of the data directory holds"),
  Command.withDescription("Show what a file of the data directory holds. Nothing is changed."),
  Command.withSubcommands([segment, log]),
);

/** The lines about a segment. */
function describeSegment(footer: SegmentFooter, withChunks: boolean): Array<string> {
  const { partition, logFrom, logTo, bytes, streams } = footer;
  const chunks = streams.flatMap((stream) => stream.chunks);
  const rows = sum(chunks.map((chunk) => chunk.rowCount));
  const rawBytes = sum(chunks.map((chunk) => chunk.rawBytes));
  const lines = [
    `partition ${partition}, log offsets ${logFrom} to ${logTo} (not included)`,
    `written ${formatNanoseconds(String(footer.createdAt))}`,
    `${streams.length} streams, ${chunks.length} chunks, ${rows} rows`,
    `${formatBytes(rawBytes)} of lines in ${formatBytes(bytes)} (${
      (rawBytes / bytes).toFixed(1)
    } to 1)`,
  ];
  for (const { tenant, labels, chunks } of streams) {
    const count = sum(chunks.map((chunk) => chunk.rowCount));
    lines.push(`${tenant} ${labels} ${count} rows, ${chunks.length} chunks`);
    if (!withChunks) continue;
    for (const chunk of chunks) {
      lines.push(
        `  at ${chunk.offset}, ${formatBytes(chunk.length)}: ${chunk.rowCount} rows, ` +
          `${formatNanoseconds(String(chunk.minTime))} to ${
            formatNanoseconds(String(chunk.maxTime))
          }`,
      );
    }
  }
  return lines;
}

/** Prints record after record. Stops with an error at the first that is not valid, which in a log that a crash cut short is
 *  how it ends. */
async function printLog(handle: DiskFile): Promise<void> {
  const size = await handle.size();
  const header = decodeFileHeader(await handle.read(0, fileHeaderBytes));
  if (typeof header === "string") throw new Error(`the file ${header}`);
  const { partition, firstOffset, salt } = header;
  await writeOutput(`partition ${partition}, first offset ${firstOffset}, ${formatBytes(size)}\n`);
  let position = fileHeaderBytes;
  while (position < size) {
    const start = await handle.read(position, recordHeaderBytes);
    const needed = parseRecord(start, 0, salt);
    const bytes = typeof needed === "number" && position + needed <= size
      ? await handle.read(position, needed)
      : start;
    const record = parseRecord(bytes, 0, salt);
    if (record === undefined || typeof record === "number") {
      throw new Error(`no valid record at byte ${position}; ${size - position} bytes follow`);
    }
    const batch = decodeBatch(bytes.subarray(record.start, record.end));
    await writeOutput(
      `offset ${record.offset}: tenant ${batch.tenant}, ${batch.sliceCount} streams, ` +
        `${batch.rowCount} rows, ${formatBytes(batch.lineBytes)} of lines, ` +
        `${formatNanoseconds(String(batch.minTime))} to ${
          formatNanoseconds(String(batch.maxTime))
        }\n`,
    );
    position += record.end;
  }
}

function withFile(path: string, use: (handle: DiskFile) => Promise<void>) {
  return Effect.acquireUseRelease(
    Effect.promise(() => nodeDisk.open(path, "read")),
    (handle) =>
      Effect.tryPromise({
        try: () => use(handle),
        catch: (cause) => failed(`${path}: ${errorText(cause)}`),
      }),
    (handle) => Effect.promise(() => handle.close()),
  );
}

function sum(numbers: ReadonlyArray<number>): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** For reading: two digits after the point. */
function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const unit = bytes === 0 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return unit === 0 ? `${bytes} B` : `${(bytes / 1024 ** unit).toFixed(2)} ${units[unit]}`;
}
