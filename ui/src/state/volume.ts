// How many lines match over time, by level: what the histogram shows. Owns asking once for each run, after its first rows
// are there. Invariant: nothing is asked while the histogram is folded away, in live mode, or for what is on the screen
// already.
import { effect, signal } from "@preact/signals-core";
import { streamSeries } from "../api/queryStream.ts";
import { ApiError } from "../api/request.ts";
import { nanosecondsPerSecond } from "../model/nanoseconds.ts";
import { isMetricQuery, roundStep } from "../model/queryKind.ts";
import { type Level, levelNamed } from "../model/row.ts";
import type { ResolvedRange } from "../model/timeRange.ts";
import { address } from "./address.ts";
import { loading, type Run, shown } from "./explore.ts";

export interface Bucket {
  /** Seconds since 1970; the bucket holds lines from `end - stepSeconds` to `end`. */
  readonly end: number;
  readonly counts: ReadonlyMap<Level, number>;
  readonly total: number;
}

export interface Volume {
  readonly range: ResolvedRange;
  readonly stepSeconds: number;
  readonly buckets: readonly Bucket[];
  readonly totals: ReadonlyMap<Level, number>;
}

export const volume = signal<Volume | undefined>(undefined);
export const volumeState = signal<"ready" | "loading" | ApiError>("ready");

const bucketsMax = 120;
let asking = new AbortController();
let askedFor: Run | undefined;

/** Keeps the histogram in step with what is shown. */
export function followVolume(): void {
  effect(() => {
    const run = shown.value;
    const { histogram, live, page } = address.value;
    const wanted = histogram && !live && page === "explore" && run !== undefined &&
      !isMetricQuery(run.query);
    if (!wanted || loading.value) return;
    if (askedFor === run) return;
    askedFor = run;
    void ask(run);
  });
}

/** Asks again after a failure. */
export function retryVolume(): void {
  if (askedFor !== undefined) void ask(askedFor);
}

async function ask(run: Run): Promise<void> {
  asking.abort();
  asking = new AbortController();
  const { signal: abort } = asking;
  volumeState.value = "loading";
  const seconds = Number((run.range.end - run.range.start) / 1_000_000n) / 1000;
  const stepSeconds = roundStep(seconds, bucketsMax);
  try {
    const found = await countByLevel(run, stepSeconds, abort);
    if (abort.aborted) return;
    volume.value = found;
    volumeState.value = "ready";
  } catch (cause) {
    if (abort.aborted) return;
    volumeState.value = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
  }
}

/** Buckets stand on multiples of the step, so that bars do not jitter from one run to the next. */
async function countByLevel(run: Run, stepSeconds: number, abort: AbortSignal): Promise<Volume> {
  const step = BigInt(stepSeconds) * nanosecondsPerSecond;
  const first = (run.range.start / step + 1n) * step;
  const last = ((run.range.end + step - 1n) / step) * step;
  // Lines that a parser could not read count as well; a query may end in a comment.
  const query = `sum by (detected_level) (count_over_time(${run.query}
| drop __error__, __error_details__ [${stepSeconds}s]))`;
  const page = await streamSeries(
    { query, start: first, end: last + 1n, stepSeconds },
    () => {},
    abort,
  );
  const byEnd = new Map<number, Map<Level, number>>();
  const totals = new Map<Level, number>();
  for (const { labels, points } of page.series) {
    const level = levelNamed(labels.detected_level ?? "");
    for (const [end, text] of points) {
      let counts = byEnd.get(end);
      if (counts === undefined) byEnd.set(end, counts = new Map());
      const count = Number(text);
      counts.set(level, (counts.get(level) ?? 0) + count);
      totals.set(level, (totals.get(level) ?? 0) + count);
    }
  }
  const buckets: Bucket[] = [];
  for (
    let end = Number(first / nanosecondsPerSecond);
    end <= Number(last / nanosecondsPerSecond);
  ) {
    const counts = byEnd.get(end) ?? new Map<Level, number>();
    buckets.push({ end, counts, total: [...counts.values()].reduce((sum, each) => sum + each, 0) });
    end += stepSeconds;
  }
  return { range: run.range, stepSeconds, buckets, totals };
}
