/** Decides which segments have expired, wholly or in part, by age and by size. Pure.
 *
 *  What of a segment expires together, the chunks of one tenant with one period, is a class. A size limit is a time too: what is
 *  older than it goes. So a class has expired when its last row is older than the later of both. A segment whose classes have all
 *  expired goes; one of which a class has expired, or a chunk for more than a day, is rewritten without that. */
import type { SegmentSummary, StreamRecord } from "../../streams/record.ts";
import { stepLimits } from "./mergePlan.ts";
import { timeMin } from "./retention.ts";

export interface ExpiryClass {
  readonly tenant: string;
  readonly periodMs: number;
  /** Stored bytes of its chunks. */
  bytes: number;
  /** The last time of its chunks, and of the chunk that expires first. */
  maxTime: bigint;
  firstMaxTime: bigint;
}

/** The classes of a segment's streams. */
export function classesOf(
  streams: ReadonlyArray<StreamRecord>,
  periodMs: (tenant: string, labels: string) => number,
): ReadonlyArray<ExpiryClass> {
  const classes = new Map<string, ExpiryClass>();
  for (const { tenant, labels, chunks } of streams) {
    const period = periodMs(tenant, labels);
    const key = `${period} ${tenant}`;
    for (const { length, maxTime } of chunks) {
      const known = classes.get(key);
      if (known === undefined) {
        const times = { maxTime, firstMaxTime: maxTime };
        classes.set(key, { tenant, periodMs: period, bytes: length, ...times });
        continue;
      }
      known.bytes += length;
      if (maxTime > known.maxTime) known.maxTime = maxTime;
      if (maxTime < known.firstMaxTime) known.firstMaxTime = maxTime;
    }
  }
  return [...classes.values()];
}

const dayNs = 86_400_000_000_000n;

/** What retention asks of a segment. `keptFrom` gives the first time of a class, ns, that has not expired. */
export function verdictOf(
  classes: ReadonlyArray<ExpiryClass>,
  keptFrom: (each: ExpiryClass) => bigint,
): "keep" | "rewrite" | "drop" {
  const expired = classes.filter((each) => each.maxTime < keptFrom(each));
  if (expired.length === classes.length && classes.length > 0) return "drop";
  if (expired.length > 0) return "rewrite";
  return classes.some((each) => each.firstMaxTime < keptFrom(each) - dayNs) ? "rewrite" : "keep";
}

/** The time before which everything must go so that at most `bytesMax` are left: the oldest first, whole pieces. A little more goes,
 *  so that not each new segment makes an old one go. */
export function sizeCutoff(
  pieces: ReadonlyArray<{ readonly bytes: number; readonly maxTime: bigint }>,
  bytesMax: number,
): bigint {
  let bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  if (bytesMax === 0 || bytes <= bytesMax) return timeMin;
  let cutoff = timeMin;
  for (const piece of pieces.toSorted((a, b) => a.maxTime < b.maxTime ? -1 : 1)) {
    if (bytes <= bytesMax * 0.95) break;
    bytes -= piece.bytes;
    cutoff = piece.maxTime + 1n;
  }
  return cutoff;
}

/** A segment without rows. */
export function isEmpty({ minTime, maxTime }: SegmentSummary): boolean {
  return minTime > maxTime;
}

/** The first run of neighbours that have expired, with those beside them that have no rows; undefined if there is none.
 *  `segments` are all of one partition, by logFrom. */
export function expiredRun(
  segments: ReadonlyArray<SegmentSummary>,
  isExpired: (segment: SegmentSummary) => boolean,
  { countMax, streamCountMax } = stepLimits,
): ReadonlyArray<SegmentSummary> | undefined {
  let run: SegmentSummary[] = [];
  let streams = 0;
  for (const segment of segments) {
    const continues = run.length === 0 || run.at(-1)!.logTo === segment.logFrom;
    const fits = run.length === 0 ||
      (run.length < countMax && streams + segment.streamCount <= streamCountMax);
    if ((isEmpty(segment) || isExpired(segment)) && continues && fits) {
      run.push(segment);
      streams += segment.streamCount;
      continue;
    }
    if (run.some((one) => !isEmpty(one))) return run;
    run = isEmpty(segment) || isExpired(segment) ? [segment] : [];
    streams = run.length === 0 ? 0 : segment.streamCount;
  }
  return run.some((one) => !isEmpty(one)) ? run : undefined;
}
