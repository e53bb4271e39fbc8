/** A record of the write log as the batch that it holds. Owns what is said of one that is damaged. */
import { type LogRecord, WriteLogError } from "../../storage/WriteLog.ts";
import { type Batch, decodeBatch } from "../../streams/batch.ts";
import { FormatError } from "../../streams/formatError.ts";

/** Throws WriteLogError (Corrupt). Files check what they give, so such a record comes from a cluster. */
export function batchOf(partition: number, { offset, bytes }: LogRecord): Batch {
  try {
    return decodeBatch(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new WriteLogError({
      reason: "Corrupt",
      partition,
      message:
        `Write log of partition ${partition}: the record at offset ${offset} is damaged: ${error.message}. Nothing after ` +
        `it is read, so nothing is lost silently. \`tailrace cluster skip --partition=${partition}\` says whether another replica ` +
        "has it whole, and how to go on without it if none has",
    });
  }
}
