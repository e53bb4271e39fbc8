/** The messages by which the index's bucket is changed: what a commit and a replacement publish, each all or nothing.
 *  indexRecords.ts owns what is in them, JetStreamIndex.ts when they are published. Pure. */
import { type BatchMessage, batchMessagesMax } from "../../cluster/atomicBatch.ts";
import { indexBucket } from "../../cluster/streams.ts";
import type { SegmentRecord } from "../../streams/record.ts";
import { IndexError } from "../Index.ts";
import {
  encodeSegment,
  encodeStreams,
  type SegmentHeader,
  segmentRecordKey,
  streamsKey,
} from "./indexRecords.ts";

/** A segment as the bucket has it, and the sequence of its record. */
export interface ReplacedSegment {
  readonly header: SegmentHeader;
  readonly revision: number;
}

/** How long a marker keeps what it deleted from being written again. Longer than a process that was paused can matter. */
const markerTtl = "24h";

export function subjectOf(key: string): string {
  return `$KV.${indexBucket}.${key}`;
}

/** Adds a segment, if there is none of its key and there was none lately. */
export function messagesOf(record: SegmentRecord): ReadonlyArray<BatchMessage> {
  const streams = encodeStreams(record.streams);
  return [
    ...streams.map((data, part) => ({ subject: subjectOf(streamsKey(part, record.key)), data })),
    {
      subject: subjectOf(segmentRecordKey(record.key)),
      data: encodeSegment(record, streams.length),
      lastSubjectSequence: 0,
    },
  ];
}

/** Puts a segment in the place of others, if none of them has changed. Their records go before their streams: whoever reads in
 *  between finds no segment that lacks streams. */
export function replacementOf(
  record: SegmentRecord,
  replaced: ReadonlyArray<ReplacedSegment>,
): ReadonlyArray<BatchMessage> {
  const added = messagesOf(record);
  const markers = [
    ...replaced.map(({ header, revision }) =>
      markerOf(subjectOf(segmentRecordKey(header.key)), revision)
    ),
    ...replaced.flatMap(({ header }) =>
      Array.from(
        { length: header.parts },
        (_, part) => markerOf(subjectOf(streamsKey(part, header.key))),
      )
    ),
  ];
  return [...markers, ...added];
}

/** Deletes a key, as key-value clients do. */
export function markerOf(subject: string, lastSubjectSequence?: number): BatchMessage {
  return {
    subject,
    data: "",
    headers: { "KV-Operation": "DEL", "Nats-TTL": markerTtl },
    ...(lastSubjectSequence === undefined ? {} : { lastSubjectSequence }),
  };
}

/** Throws Full for a change that one batch cannot hold. */
export function checkCount(record: SegmentRecord, messageCount: number): void {
  if (messageCount <= batchMessagesMax) return;
  throw new IndexError({
    reason: "Full",
    message: `Cannot commit segment "${record.key}": it has ${record.streams.length} streams`,
  });
}

export function conflict(record: SegmentRecord, what: string): IndexError {
  const { key, partition, logFrom, logTo } = record;
  return new IndexError({
    reason: "Conflict",
    message:
      `Cannot commit segment "${key}" with [${logFrom}, ${logTo}) of partition ${partition}: ${what}`,
  });
}
