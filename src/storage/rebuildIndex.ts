/** Makes an index from segments alone, by their footers. Owns the reading; segmentChoice.ts owns which segments count. */
import { Effect, Schema } from "effect";
import { FormatError } from "../streams/formatError.ts";
import type { SegmentRecord } from "../streams/record.ts";
import { readSegmentFooter, segmentRecord } from "../streams/segment.ts";
import type { Index } from "./Index.ts";
import { type ObjectInfo, type ObjectStore, ObjectStoreError } from "./ObjectStore.ts";
import { chooseSegments } from "./segmentChoice.ts";

/** A segment whose footer, or a chunk of it, cannot be read. */
export class SegmentUnreadable
  extends Schema.TaggedError<SegmentUnreadable>()("SegmentUnreadable", {
    key: Schema.String,
    message: Schema.String,
  }) {}

/** Says what to do about a segment of which a part is damaged. */
export function segmentUnreadable(key: string, problem: string): SegmentUnreadable {
  return new SegmentUnreadable({
    key,
    message: `Cannot read segment "${key}": ${problem}. Restore it from a copy, or move it ` +
      `away: then its lines are lost`,
  });
}

export interface RebuildReport {
  readonly segments: number;
  /** Keys of segments whose log offsets others cover: what a crash left between put and commit. */
  readonly left: ReadonlyArray<string>;
}

/** Adds all segments of `objectStore` to `index`, which must be empty. Fails at the first segment whose footer cannot be read;
 *  nothing is changed in the object store. */
export const rebuildIndex = Effect.fn("rebuildIndex")(function* (
  objectStore: ObjectStore["Service"],
  index: Index["Service"],
) {
  const objects = yield* objectStore.list("segments/");
  // Footers of all segments may not fit in memory, so they are read twice: first for their ranges, then to add them.
  const ranges: Omit<SegmentRecord, "streams">[] = [];
  for (const object of objects) {
    const { streams: _, ...range } = yield* readSegmentRecord(objectStore, object);
    ranges.push(range);
  }
  const { kept, left } = chooseSegments(ranges);
  for (const { key, bytes } of kept) {
    yield* index.restore(yield* readSegmentRecord(objectStore, { key, bytes }));
  }
  const report: RebuildReport = { segments: kept.length, left: left.map(({ key }) => key) };
  return report;
});

/** What the index keeps of a stored segment. */
export const readSegmentRecord = Effect.fnUntraced(function* (
  objectStore: ObjectStore["Service"],
  object: ObjectInfo,
) {
  const { key, bytes } = object;
  const footer = yield* Effect.tryPromise({
    try: () =>
      readSegmentFooter(
        (offset, length) => Effect.runPromise(objectStore.getRange(key, offset, length)),
        bytes,
      ),
    catch: (error) => {
      if (error instanceof ObjectStoreError) return error;
      if (!(error instanceof FormatError)) throw error;
      return segmentUnreadable(key, error.message);
    },
  });
  return { ...segmentRecord(footer), key };
});
