/** `tailrace decode`: makes the bytes of one NATS message readable, for `nats sub --translate`.
 *  Owns the text; the formats belong to streams/batch.ts and storage/jetstream/indexRecords.ts. */
import { Effect } from "effect";
import { Command } from "effect/cli";
import { errorText } from "../platform/files.ts";
import { readInput, standardInput } from "../platform/inputs.ts";
import { writeOutput } from "../platform/terminal.ts";
import { decodeStreams } from "../storage/jetstream/indexRecords.ts";
import { type Batch, decodeBatch, readBatchHeader } from "../streams/batch.ts";
import { formatNanoseconds } from "./entryPrinter.ts";
import { failed } from "./failure.ts";

export const decode = Command.make(
  "decode",
  {},
  () =>
    Effect.tryPromise({
      try: async () => {
        await writeOutput(`${textOf(await readAll()).join("\n")}\n`);
      },
      catch: (error) => failed(`cannot decode standard input: ${errorText(error)}`),
    }),
).pipe(
  Command.withShortDescription("Make a NATS message readable"),
  Command.withDescription(
    "Read the bytes of one message from standard input and print what they say: the lines of a batch,\n" +
      "the streams of a segment's record; other messages are text already and are printed as they are.",
  ),
  Command.withExamples([
    {
      command: "nats sub 'tail.fake.*' --translate 'tailrace decode'",
      description: "The lines of a tenant as they are stored",
    },
  ]),
);

/** A message is at most a few megabytes. */
const messageBytesMax = 64 * 1024 * 1024;

async function readAll(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of readInput(standardInput, () => {})) {
    parts.push(part);
    size += part.length;
    if (size > messageBytesMax) throw new Error(`more than ${messageBytesMax} bytes`);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function textOf(bytes: Uint8Array): Array<string> {
  if (readBatchHeader(bytes) !== undefined) return linesOf(decodeBatch(bytes));
  if (isStreamsPart(bytes)) {
    return decodeStreams([bytes]).map(({ tenant, labels, chunks }) => {
      const rows = chunks.reduce((sum, { rowCount }) => sum + rowCount, 0);
      return `${tenant} ${labels} ${rows} rows, ${chunks.length} chunks`;
    });
  }
  return [new TextDecoder().decode(bytes)];
}

/** A length, then a frame of zstd. */
function isStreamsPart(bytes: Uint8Array): boolean {
  return bytes.length > 8 &&
    new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true) === 0xfd2fb528;
}

function linesOf(batch: Batch): Array<string> {
  const decoder = new TextDecoder();
  const lines: string[] = [];
  for (let slice = 0; slice < batch.sliceCount; slice++) {
    const labels = batch.labelsOf(slice);
    for (let row = batch.sliceRowStart(slice); row < batch.sliceRowEnds[slice]!; row++) {
      const start = row === 0 ? 0 : batch.lineEnds[row - 1]!;
      // A decoder does not take shared memory.
      const line = decoder.decode(batch.lines.slice(start, batch.lineEnds[row]!));
      lines.push(`${formatNanoseconds(String(batch.timestamps[row]!))} ${labels} ${line}`);
    }
  }
  return lines;
}
