/** Decides which segments of a partition become one. Pure. Segments lie side by side in the write log, and only neighbours can be
 *  merged. What is weighed:
 *
 *  - Each byte is rewritten a few times at most: no segment of a merge is larger than half of what comes out, so that a byte's
 *    segment at least doubles each time, and small ones wait until there are `countMin` of them.
 *  - Queries still prune by time, and rows that expire together stay together: segments whose last rows are of different days are
 *    not merged.
 *  - A step is bounded: bytes, segments, streams.
 *  - When a day's segments have settled, what is left of them is merged although there are few. */
import type { SegmentSummary } from "../../streams/record.ts";

export interface MergePolicy {
  /** Bytes of a merged segment. Those of more than half of it stay as they are. */
  readonly segmentBytesMax: number;
  /** Segments that are merged at once, at least, before they have settled. */
  readonly countMin: number;
  /** Age of the newest of some segments at which they have settled, ns. */
  readonly settledNs: bigint;
}

/** What a step may replace: a change of the index names every segment, and in NATS every part of its list of streams, of which a
 *  change can hold several hundred. A stream costs about 200 bytes of memory while it is merged. */
export const stepLimits = { countMax: 64, streamCountMax: 400_000 };

/** Neighbours to be merged now: those that take away the most segments for a byte that is rewritten. Undefined if none are worth
 *  it. `segments` are all of one partition, by logFrom. */
export function chooseMerge(
  segments: ReadonlyArray<SegmentSummary>,
  policy: MergePolicy,
  nowNs: bigint,
): ReadonlyArray<SegmentSummary> | undefined {
  let best: ReadonlyArray<SegmentSummary> | undefined;
  let bestCost = Infinity;
  for (let start = 0; start < segments.length; start++) {
    const run = new Run(policy, nowNs);
    for (let end = start; end < segments.length && run.takes(segments[end]!); end++) {
      run.add(segments[end]!);
      if (!run.isWorthwhile || run.cost >= bestCost) continue;
      bestCost = run.cost;
      best = segments.slice(start, end + 1);
    }
  }
  return best;
}

class Run {
  readonly #policy: MergePolicy;
  readonly #nowNs: bigint;
  #count = 0;
  #bytes = 0;
  #largest = 0;
  #streams = 0;
  #end = -1;
  #newest = 0n;
  /** Of segments with rows; undefined for none so far. */
  #day: bigint | undefined;

  constructor(policy: MergePolicy, nowNs: bigint) {
    this.#policy = policy;
    this.#nowNs = nowNs;
  }

  takes(segment: SegmentSummary): boolean {
    const { segmentBytesMax } = this.#policy;
    const day = dayOf(segment);
    return (this.#end < 0 || this.#end === segment.logFrom) && this.#count < stepLimits.countMax &&
      (day === undefined || this.#day === undefined || day === this.#day) &&
      segment.bytes <= segmentBytesMax / 2 && this.#bytes + segment.bytes <= segmentBytesMax &&
      this.#streams + segment.streamCount <= stepLimits.streamCountMax;
  }

  add(segment: SegmentSummary): void {
    this.#count++;
    this.#bytes += segment.bytes;
    this.#largest = Math.max(this.#largest, segment.bytes);
    this.#streams += segment.streamCount;
    this.#end = segment.logTo;
    this.#day ??= dayOf(segment);
    if (segment.createdAt > this.#newest) this.#newest = segment.createdAt;
  }

  get isWorthwhile(): boolean {
    if (this.#count >= this.#policy.countMin) return this.#largest <= this.#bytes / 2;
    const isSettled = this.#nowNs - this.#newest >= this.#policy.settledNs;
    return isSettled && this.#count > 1 && this.#largest <= this.#bytes * 2 / 3;
  }

  /** Bytes for each segment that goes. */
  get cost(): number {
    return this.#bytes / (this.#count - 1);
  }
}

const dayNs = 86_400_000_000_000n;

/** The day, in UTC, of a segment's last row; undefined if it has none. */
function dayOf({ minTime, maxTime }: SegmentSummary): bigint | undefined {
  if (minTime > maxTime) return undefined;
  return maxTime / dayNs - (maxTime < 0n ? 1n : 0n);
}
