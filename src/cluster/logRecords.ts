/** What the messages of a write log's stream are as records. Distributors give each a message id; one without was published by
 *  somebody else: by hand, or by a program that uses the same subjects. It has its offset, and no lines. Were it read as a batch,
 *  its partition would stop there, and with it every query. A batch that is damaged has its id, and stops it. */
import type { MsgHdrs } from "@nats-io/transport-node";
import { buildBatch, encodeBatch } from "../streams/batch.ts";

const idHeader = "Nats-Msg-Id";

const noRows = {
  timestamps: new BigInt64Array(0),
  lineEnds: new Uint32Array(0),
  lines: new Uint8Array(0),
  metaIds: new Uint32Array(0),
  setEnds: new Uint32Array(0),
  meta: new Uint8Array(0),
};
const nobodys = encodeBatch(buildBatch("", [], noRows), "none");

/** What an offset is read as that an operator gave up (skipMarks.ts). It has one stream, without a row: by that it differs from
 *  what somebody else published, of which the partition warns. */
export const skippedRecord: Uint8Array = encodeBatch(
  buildBatch("", [{ labels: "{}", rowStart: 0, rowEnd: 0 }], noRows),
  "none",
);

/** The record's bytes, or those of an empty batch if no distributor wrote it. */
export function recordOf(headers: MsgHdrs | undefined, data: Uint8Array): Uint8Array {
  return (headers?.get(idHeader) ?? "") === "" ? nobodys : data;
}
