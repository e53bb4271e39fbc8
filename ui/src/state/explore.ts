// Runs the address's query and holds its outcome: rows or series, failure, paging, the live session. Views only read the
// signals here and call its verbs. Invariant: one run at a time; an older run's answer never reaches the screen.
import { batch, signal } from "@preact/signals";
import { ApiError, queryRange, type Series, type Statistics } from "../api/loki.ts";
import { openTail } from "../api/tailSocket.ts";
import { nanosecondsPerSecond, nowNanoseconds } from "../model/nanoseconds.ts";
import { type Entry, entryName } from "../model/row.ts";
import { RowBuffer } from "../model/rowBuffer.ts";
import { type ResolvedRange, resolveRange } from "../model/timeRange.ts";
import { address, go } from "./address.ts";
import { LiveSession } from "./liveSession.ts";
import { OlderPages } from "./olderPages.ts";

/** What a run asked, made absolute. */
export interface Run {
  readonly query: string;
  readonly range: ResolvedRange;
}

export type OlderState = "more" | "loading" | "end" | "full" | ApiError;

/** The text in the query box, run or not. */
export const draft = signal(address.peek().query);
export const loading = signal(false);
export const failure = signal<{ readonly error: ApiError; readonly query: string } | undefined>(
  undefined,
);
/** The last run that succeeded: what the rows below belong to. */
export const shown = signal<Run | undefined>(undefined);
export const rows = signal(new RowBuffer(0));
/** Goes up, at most once a frame, when rows or counts of the present buffer changed. */
export const version = signal(0);
export const series = signal<readonly Series[] | undefined>(undefined);
export const older = signal<OlderState>("end");
export const statistics = signal<Statistics | undefined>(undefined);
export const warnings = signal<readonly string[]>([]);
export const live = signal<LiveSession | undefined>(undefined);
/** Sequence number of the row the keyboard is at, and the entry open in the drawer. */
export const selected = signal<number | undefined>(undefined);
export const opened = signal<Entry | undefined>(undefined);

let running = new AbortController();
let pages: OlderPages | undefined;
let ranFor = "";

/** Makes the screen agree with the address; runs the query again only when what it asks changed, or with `force`. */
export function follow(force = false): void {
  const { query, range, live: wantsLive } = address.peek();
  const key = JSON.stringify([query, range, wantsLive]);
  if (key === ranFor && !force) return;
  ranFor = key;
  draft.value = query;
  document.title = query.trim() === "" ? "Tailrace" : `${query.slice(0, 80)} - Tailrace`;
  void run();
}

/** Puts a query in the address and runs it, also when it is the same. */
export function submit(query: string): void {
  const same = query === address.peek().query;
  draft.value = query;
  go({ query, entry: "" }, "push");
  if (same) follow(true);
}

/** Stops waiting for the present run; what was shown stays. */
export function cancel(): void {
  running.abort();
  fail(new ApiError(0, "Cancelled"), address.peek().query);
}

/** Fetches the next older page, unless there is none or one is on its way. */
export async function loadOlder(): Promise<void> {
  const state = older.peek();
  if (pages === undefined || state === "end" || state === "full" || state === "loading") return;
  const { signal: abort } = running;
  older.value = "loading";
  try {
    const page = await pages.next();
    if (abort.aborted) return;
    append(rows.peek(), page.rows, page.ended);
  } catch (cause) {
    if (abort.aborted) return;
    older.value = asApiError(cause);
  }
}

/** Tells views, in the next frame, that the rows changed; a fast stream is drawn a dozen times a second. */
export function changed(): void {
  if (scheduled) return;
  scheduled = true;
  const draw = () =>
    requestAnimationFrame(() => {
      scheduled = false;
      version.value++;
    });
  const isFast = (live.peek()?.linesPerSecond.peek() ?? 0) > fastLinesPerSecond;
  if (isFast) setTimeout(draw, fastDrawMs);
  else draw();
}

/** Opens an entry in the drawer, or closes it. */
export function open(entry: Entry | undefined): void {
  opened.value = entry;
  if (entry !== undefined) live.peek()?.pause();
  go({ entry: entry === undefined ? "" : entryName(entry) }, "replace");
}

let scheduled = false;

/** Nobody reads at this pace; drawing less leaves the time to receive. */
const fastLinesPerSecond = 1000;
const fastDrawMs = 80;

const pageRows = 1000;
/** Loki's default of max_entries_limit_per_query. */
const pageRowsMax = 5000;
const loadedBytesMax = 64 * 1024 * 1024;
const liveBytesMax = 32 * 1024 * 1024;

async function run(): Promise<void> {
  running.abort();
  running = new AbortController();
  const { signal: abort } = running;
  live.peek()?.stop();
  const { query, range, zone, live: wantsLive } = address.peek();
  batch(() => {
    live.value = undefined;
    failure.value = undefined;
    if (query.trim() === "") clear();
  });
  if (query.trim() === "") return;
  const now = nowNanoseconds();
  // Live mode goes on from the present, wherever the range ends.
  const resolved = resolveRange(wantsLive ? { from: range.from, to: "now" } : range, now, zone);
  if (typeof resolved === "string") return fail(new ApiError(400, resolved), query);
  loading.value = true;
  try {
    const outcome = await firstPage(query, resolved, abort);
    if (abort.aborted) return;
    batch(() => show({ query, range: resolved }, outcome, wantsLive));
  } catch (cause) {
    if (!abort.aborted) fail(asApiError(cause), query);
  }
}

type Outcome =
  | { readonly kind: "series"; readonly series: readonly Series[] }
  | {
    readonly kind: "logs";
    readonly first: Awaited<ReturnType<OlderPages["next"]>>;
    readonly pages: OlderPages;
  };

async function firstPage(
  query: string,
  range: ResolvedRange,
  abort: AbortSignal,
): Promise<Outcome> {
  let computed: readonly Series[] | undefined;
  const fetchNewest = async (part: ResolvedRange, limit: number): Promise<Entry[]> => {
    const page = await queryRange({ query, ...part, limit, direction: "backward" }, abort);
    statistics.value = page.statistics;
    warnings.value = page.warnings;
    if (page.kind === "logs") return page.entries;
    computed = page.series;
    return [];
  };
  const pages = new OlderPages(range, fetchNewest, pageRows, pageRowsMax);
  const first = await pages.next();
  return computed === undefined
    ? { kind: "logs", first, pages }
    : { kind: "series", series: computed };
}

function show(run: Run, outcome: Outcome, wantsLive: boolean): void {
  loading.value = false;
  shown.value = run;
  selected.value = undefined;
  pages = undefined;
  series.value = outcome.kind === "series" ? outcome.series : undefined;
  older.value = "end";
  rows.value = new RowBuffer(wantsLive ? liveBytesMax : Infinity);
  if (outcome.kind === "logs" && wantsLive) followLive(run, outcome.first.rows.reverse());
  else if (outcome.kind === "logs") {
    pages = outcome.pages;
    append(rows.value, outcome.first.rows, outcome.first.ended);
  }
  version.value++;
  reopen();
}

function append(
  buffer: RowBuffer,
  more: Awaited<ReturnType<OlderPages["next"]>>["rows"],
  ended: boolean,
): void {
  for (const row of more) buffer.push(row);
  older.value = ended ? "end" : buffer.bytes > loadedBytesMax ? "full" : "more";
  changed();
}

function followLive(run: Run, known: Awaited<ReturnType<OlderPages["next"]>>["rows"]): void {
  const buffer = rows.peek();
  for (const row of known) buffer.push(row);
  const newest = known.findLast((row) => row.kind === "entry");
  const start = run.range.end - 5n * nanosecondsPerSecond;
  const since = newest?.kind === "entry" ? BigInt(newest.nanoseconds) : start;
  const { signal: abort } = running;
  const session = new LiveSession(run.query, buffer, since, {
    openTail,
    fetchOldest: async (range, limit) => {
      const page = await queryRange(
        { query: run.query, ...range, limit, direction: "forward" },
        abort,
      );
      return page.kind === "logs" ? page.entries : [];
    },
    now: nowNanoseconds,
    after: (milliseconds, callback) => {
      const timer = setTimeout(callback, milliseconds);
      return () => clearTimeout(timer);
    },
    changed,
  });
  live.value = session;
  session.start();
}

/** Opens the entry that the address names, when it is among the rows. */
function reopen(): void {
  const { entry: name } = address.peek();
  const buffer = rows.peek();
  const nanoseconds = name.split("-")[0];
  for (let sequence = buffer.first; name !== "" && sequence < buffer.end; sequence++) {
    const row = buffer.at(sequence);
    if (row?.kind !== "entry" || row.nanoseconds !== nanoseconds || entryName(row) !== name) {
      continue;
    }
    selected.value = sequence;
    opened.value = row;
    return;
  }
  opened.value = undefined;
}

function clear(): void {
  loading.value = false;
  shown.value = undefined;
  series.value = undefined;
  rows.value = new RowBuffer(0);
  older.value = "end";
  statistics.value = undefined;
  warnings.value = [];
  selected.value = undefined;
  opened.value = undefined;
  pages = undefined;
}

function fail(error: ApiError, query: string): void {
  batch(() => {
    loading.value = false;
    failure.value = { error, query };
  });
}

function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError(0, String(cause));
}
