/** Removes segments that were put and never committed, or were replaced, once their log offsets are in committed
 *  segments. Owns the order of the questions that makes this safe beside running commits; segmentChoice.ts owns the rule. */
import { Effect } from "effect";
import type { Index } from "./Index.ts";
import type { ObjectStore } from "./ObjectStore.ts";
import { isOrphan, rangeOfKey } from "./segmentChoice.ts";

/** Since when each orphan has been seen, by key, ms of performance.now(); and how long it stays, for queries that had chosen it
 *  before it was replaced, and for commits that are on their way. */
export interface OrphanWait {
  readonly seen: Map<string, number>;
  readonly delayMs: number;
}

/** Removes all orphans and returns their keys: at once, for a process that has the storage to itself and runs no query
 *  yet, or after a wait, for sweeps now and then. */
export const sweepOrphans = Effect.fn("sweepOrphans")(function* (
  objectStore: ObjectStore["Service"],
  index: Index["Service"],
  wait?: OrphanWait,
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
  const due = orphans.map(({ key }) => key).filter((key) => isDue(key, wait));
  const removed: string[] = [];
  for (const key of due) {
    if (!(yield* index.discard(key))) continue;
    yield* objectStore.remove(key);
    removed.push(key);
  }
  if (wait !== undefined) {
    const left = new Set(orphans.map(({ key }) => key));
    for (const key of wait.seen.keys()) if (!left.has(key)) wait.seen.delete(key);
  }
  return removed;
});

function isDue(key: string, wait: OrphanWait | undefined): boolean {
  if (wait === undefined) return true;
  const now = performance.now();
  const since = wait.seen.get(key) ?? now;
  wait.seen.set(key, since);
  return now - since >= wait.delayMs;
}
