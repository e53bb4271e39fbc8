/** Removes segments that were put and never committed, once their log offsets are in committed segments. Owns the order of the
 *  questions that makes this safe beside running commits; segmentChoice.ts owns the rule. */
import { Effect } from "effect";
import type { Index } from "./Index.ts";
import type { ObjectStore } from "./ObjectStore.ts";
import { isOrphan, rangeOfKey } from "./segmentChoice.ts";

/** Removes all orphans and returns their keys. For the start of the ingester, or now and then. */
export const sweepOrphans = Effect.fn("sweepOrphans")(function* (
  objectStore: ObjectStore["Service"],
  index: Index["Service"],
) {
  const objects = yield* objectStore.list("segments/");
  const ranges = objects.flatMap(({ key }) => {
    const range = rangeOfKey(key);
    return range === undefined ? [] : [{ key, ...range }];
  });
  // Checkpoints before segments: a segment that is committed in between lies beyond the checkpoint just read, so it stays.
  const checkpoints = new Map<number, number>();
  for (const partition of new Set(ranges.map(({ partition }) => partition))) {
    checkpoints.set(partition, yield* index.checkpoint(partition));
  }
  const committed = new Set((yield* index.segments()).map(({ key }) => key));
  const orphans = ranges.filter(({ key, partition, logTo }) =>
    isOrphan(logTo, checkpoints.get(partition) as number, committed.has(key))
  );
  for (const { key } of orphans) yield* objectStore.remove(key);
  return orphans.map(({ key }) => key);
});
