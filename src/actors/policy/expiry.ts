/** Decides which segments have expired, wholly or in part, by age and by size. Pure.
 *
 *  What of a segment expires together, the chunks of one tenant with one period, is a class. A size limit is a time too: what is
 *  older than it goes. So a class has expired when its last row is older than the later of both. A segment whose classes have all
 *  expired goes; one of which a class has expired, or a chunk for more than a day, is rewritten without that. Where a size
 *  limit is not kept without it, segments that reach over the limit's time are rewritten too. */
import type { SegmentSummary, StreamRecord } from "../../streams/record.ts";
import { stepLimits } from "./mergePlan.ts";
import { timeMin } from "./retention.ts";

export interface ExpiryClass {
  readonly tenant: string;
  readonly periodMs: number;
  /** When its segment was written, ns. */
  readonly createdAt: bigint;
  /** Stored bytes of its chunks. */
  bytes: number;
  minTime: bigint;
  /** The last time of its chunks, and of the chunk that expires first. */
  maxTime: bigint;
  firstMaxTime: bigint;
}

/** The classes of the streams of a segment that was written at `createdAt`. */
export function classesOf(
  streams: ReadonlyArray<StreamRecord>,
  createdAt: bigint,
  periodMs: (tenant: string, labels: string) => number,
): ReadonlyArray<ExpiryClass> {
  const classes = new Map<string, ExpiryClass>();
  for (const { tenant, labels, chunks } of streams) {
    const period = periodMs(tenant, labels);
    const key = `${period} ${tenant}`;
    for (const { length, minTime, maxTime } of chunks) {
      const known = classes.get(key);
      if (known === undefined) {
        const times = { minTime, maxTime, firstMaxTime: maxTime };
        classes.set(key, { tenant, periodMs: period, createdAt, bytes: length, ...times });
        continue;
      }
      known.bytes += length;
      if (minTime < known.minTime) known.minTime = minTime;
      if (maxTime > known.maxTime) known.maxTime = maxTime;
      if (maxTime < known.firstMaxTime) known.firstMaxTime = maxTime;
    }
  }
  return [...classes.values()];
}

const dayNs = 86_400_000_000_000n;

/** What retention asks of a segment. `keptFrom` gives the first time of a class, ns, that has not expired; `isSplit` says whether
 *  what is older must go from a class although the rest of it stays. */
export function verdictOf(
  classes: ReadonlyArray<ExpiryClass>,
  keptFrom: (each: ExpiryClass) => bigint,
  isSplit: (each: ExpiryClass) => boolean = () => false,
): "keep" | "rewrite" | "drop" {
  const expired = classes.filter((each) => each.maxTime < keptFrom(each));
  if (expired.length === classes.length && classes.length > 0) return "drop";
  if (expired.length > 0 || classes.some(isSplit)) return "rewrite";
  return classes.some((each) => each.firstMaxTime < keptFrom(each) - dayNs) ? "rewrite" : "keep";
}

/** Stored rows, the times between which they lie, ns, both included, and when they were written. */
export interface SizedPiece {
  readonly bytes: number;
  readonly minTime: bigint;
  readonly maxTime: bigint;
  readonly createdAt: bigint;
}

/** Whether there are rows of a time that has not come yet. */
export function reachesFuture({ maxTime }: Pick<SizedPiece, "maxTime">, nowNs: bigint): boolean {
  return maxTime > nowNs;
}

/** The time that a size limit takes the last rows for. Rows of the future count from when they were written: by their own time
 *  they would never be the oldest, and everybody else's would go for them. */
export function sizedTime(
  piece: Pick<SizedPiece, "minTime" | "maxTime" | "createdAt">,
  nowNs: bigint,
): bigint {
  const { minTime, maxTime, createdAt } = piece;
  if (!reachesFuture(piece, nowNs)) return maxTime;
  const written = createdAt < nowNs ? createdAt : nowNs;
  return minTime <= nowNs && written < minTime ? minTime : written;
}

/** What a size limit comes to: rows before `from`, ns, go. If `splits`, it is not kept by the pieces that go as a whole. */
export interface SizeCut {
  readonly from: bigint;
  readonly splits: boolean;
}

/** What is left of a limit where it was exceeded, so that not each new segment makes something go. */
const remainder = 0.95;

/** The time before which rows must go, the oldest first, so that at most `bytesMax` are left; 0 is no limit. Takes the rows of a
 *  piece for spread evenly over its time, which ends when it was written if it reaches into the future: a wrong clock makes
 *  nobody else's rows old, and keeps none for ever. */
export function sizeCut(
  pieces: ReadonlyArray<SizedPiece>,
  bytesMax: number,
  nowNs: bigint,
): SizeCut {
  const total = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  if (bytesMax === 0 || total <= bytesMax) return { from: timeMin, splits: false };
  const known = pieces.map((piece) => {
    const { bytes, minTime } = piece;
    const last = sizedTime(piece, nowNs);
    return { bytes, first: minTime < last ? minTime : last, last };
  });
  const bytesFrom = (from: bigint) =>
    known.reduce((sum, { bytes, first, last }) => {
      if (from <= first) return sum + bytes;
      return from > last
        ? sum
        : sum + bytes * (Number(last - from + 1n) / Number(last - first + 1n));
    }, 0);
  // The first time from which on there is not too much.
  let low = known.reduce((least, { first }) => first < least ? first : least, nowNs);
  let high = nowNs + 1n;
  while (low < high) {
    const middle = (low + high) >> 1n;
    if (bytesFrom(middle) <= bytesMax * remainder) high = middle;
    else low = middle + 1n;
  }
  const whole = pieces.reduce(
    (sum, piece) => sum + (sizedTime(piece, nowNs) < low ? 0 : piece.bytes),
    0,
  );
  return { from: low, splits: whole > bytesMax };
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
