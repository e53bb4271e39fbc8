/** Which segments count when there is more than one for the same log offsets. That happens when a process ends after it put a
 *  segment and before it committed it: the next one cuts the range again, perhaps elsewhere, under another key. And it happens
 *  when segments were merged, or rows expired: those that were replaced stay for a while. Pure; rebuildIndex.ts, sweepOrphans.ts
 *  and the indexes act on the answers.
 *
 *  A segment holds every row of its log range but what expired before it was made. So any set of segments without overlaps that
 *  covers the same offsets holds the same rows, and those made last have the fewest that expired. It does not matter whether a
 *  segment was committed, only that no offset counts twice and none is left out. */
import type { SegmentRecord } from "../streams/record.ts";

export type Place = Pick<SegmentRecord, "partition" | "logFrom" | "logTo">;
type Range = Pick<SegmentRecord, "key" | "partition" | "logFrom" | "logTo" | "createdAt">;

/** What keeps segments with these places, in their order, from being replaced by one with `whole`; undefined if nothing does. */
export function coverProblem(places: ReadonlyArray<Place>, whole: Place): string | undefined {
  let next = whole.logFrom;
  for (const { partition, logFrom, logTo } of places) {
    if (partition !== whole.partition || logFrom !== next) {
      return `[${logFrom}, ${logTo}) of partition ${partition} does not continue it at ${next}`;
    }
    next = logTo;
  }
  if (places.length > 0 && next === whole.logTo) return undefined;
  return `those that it replaces end at ${next}`;
}

/** Of each partition, segments without overlaps that cover the most offsets; of equal sets the one whose newest segment was
 *  made last. Kept ones are by partition and logFrom. This is weighted interval scheduling. */
export function chooseSegments<Segment extends Range>(
  segments: ReadonlyArray<Segment>,
): { readonly kept: ReadonlyArray<Segment>; readonly left: ReadonlyArray<Segment> } {
  const byPartition = Map.groupBy(segments, ({ partition }) => partition);
  const partitions = [...byPartition.keys()].sort((a, b) => a - b);
  const kept = partitions.flatMap((partition) => choose(byPartition.get(partition) ?? []));
  const keptKeys = new Set(kept.map(({ key }) => key));
  return { kept, left: segments.filter(({ key }) => !keptKeys.has(key)) };
}

/** Whether an object that is in no commit can go: only once committed segments hold all of its log offsets. One that
 *  reaches beyond the checkpoint stays, in case the log is lost before its range is cut again. */
export function isOrphan(logTo: number, checkpoint: number, isCommitted: boolean): boolean {
  return !isCommitted && logTo <= checkpoint;
}

/** The log range in the name that segmentKey (src/streams/segment.ts) gives. */
export function rangeOfKey(
  key: string,
): { readonly partition: number; readonly logFrom: number; readonly logTo: number } | undefined {
  const match = /^segments\/(\d+)\/(\d+)-(\d+)-[0-9a-f]+\.seg$/.exec(key);
  if (match === null) return undefined;
  return { partition: Number(match[1]), logFrom: Number(match[2]), logTo: Number(match[3]) };
}

function choose<Segment extends Range>(segments: ReadonlyArray<Segment>): ReadonlyArray<Segment> {
  const sorted = segments.filter(({ logFrom, logTo }) => logFrom < logTo).sort((a, b) =>
    a.logTo - b.logTo || (a.createdAt < b.createdAt ? -1 : 1)
  );
  // covered[n]: the most offsets that the first n can cover, newest[n]: when the newest of those that do was made; taken[n]:
  // whether that uses the n-th.
  const covered = [0];
  const newest = [-1n];
  const taken = [false];
  const before = (count: number) => countEnding(sorted, (sorted[count - 1] as Segment).logFrom);
  for (let count = 1; count <= sorted.length; count++) {
    const { logFrom, logTo, createdAt } = sorted[count - 1] as Segment;
    const rest = before(count);
    const withIt = logTo - logFrom + covered[rest]!;
    const newestWithIt = newest[rest]! > createdAt ? newest[rest]! : createdAt;
    const without = covered[count - 1]!;
    const isTaken = withIt > without || (withIt === without && newestWithIt >= newest[count - 1]!);
    taken.push(isTaken);
    covered.push(isTaken ? withIt : without);
    newest.push(isTaken ? newestWithIt : newest[count - 1]!);
  }
  const kept: Segment[] = [];
  for (let count = sorted.length; count > 0;) {
    if (taken[count]) {
      kept.push(sorted[count - 1] as Segment);
      count = before(count);
    } else count--;
  }
  return kept.reverse();
}

/** How many of the segments, which are sorted by logTo, end at or before `offset`. */
function countEnding(sorted: ReadonlyArray<Range>, offset: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as Range).logTo <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
