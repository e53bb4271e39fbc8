// Runs the address's query and holds its outcome: rows or series, failure, paging, the live session. Views only read the
// signals here and call its verbs. Invariant: one run at a time; an older run's answer never reaches the screen.
import { batch, computed, signal } from "@preact/signals-core";
import { presentMoment } from "../api/headStart.ts";
import { queryRange, type Series, type Statistics } from "../api/loki.ts";
import { type Progress, streamQuery, streamSeries } from "../api/queryStream.ts";
import { ApiError } from "../api/request.ts";
import { openTail } from "../api/tailSocket.ts";
import { nanosecondsPerSecond, nowNanoseconds } from "../model/nanoseconds.ts";
import { isMetricQuery } from "../model/queryKind.ts";
import { type Entry, entryName, type Row } from "../model/row.ts";
import { RowBuffer } from "../model/rowBuffer.ts";
import { RowGroups } from "../model/rowGroups.ts";
import { RowPages } from "../model/rowPages.ts";
import type { ResolvedRange } from "../model/timeRange.ts";
import { address, go } from "./address.ts";
import { LiveSession } from "./liveSession.ts";
import { PageReturns } from "./pageReturns.ts";
import { Pages } from "./pages.ts";
import { answerRowsMax, pagesOfQuery } from "./pagesOfQuery.ts";
import { remember } from "./queries.ts";
import { askedLines, askedRange, askedSeries, pageRows } from "./question.ts";
import { say } from "./screen.ts";

/** What a run asked, made absolute. */
export interface Run {
  readonly query: string;
  readonly range: ResolvedRange;
}

export interface Computed {
  readonly series: readonly Series[];
  /** Absent for an instant query. */
  readonly stepSeconds?: number;
}

export type MoreState = "more" | "loading" | "end" | "full" | ApiError;

/** The text in the query box, run or not. */
export const draft = signal(address.peek().query);
export const loading = signal(false);
/** How far the present search is, when the server tells. */
export const progress = signal<Progress | undefined>(undefined);
/** When the present search began, by `performance.now()`. */
export const searchStarted = signal(0);
export const failure = signal<{ readonly error: ApiError; readonly query: string } | undefined>(
  undefined,
);
/** What the rows or series below belong to. */
export const shown = signal<Run | undefined>(undefined);
/** True while what is shown is not yet the answer to what runs. */
export const stale = signal(false);
export const rows = signal<RowBuffer | RowPages>(new RowBuffer(0));
/** Brings rows back that were let go of; live mode lets go for good. */
export const returns = signal<PageReturns | undefined>(undefined);
// Of its own, so that the list stays the same, and where it is scrolled to, when anything else of the address changes.
const sameness = computed(() => address.value.dedup);
/** The rows with repetitions folded, as the address wants. */
export const groups = computed(() => new RowGroups(rows.value, sameness.value));
/** Goes up, at most once a frame, when rows or counts of the present buffer changed. */
export const version = signal(0);
export const series = signal<Computed | undefined>(undefined);
export const more = signal<MoreState>("end");
export const statistics = signal<Statistics | undefined>(undefined);
export const warnings = signal<readonly string[]>([]);
export const live = signal<LiveSession | undefined>(undefined);
/** Sequence number of the row the keyboard is at, and the entry open in the drawer. */
export const selected = signal<number | undefined>(undefined);
export const opened = signal<Entry | undefined>(undefined);

let running = new AbortController();
let pages: Pages | undefined;
let ranFor = "";
let arrangedBy = "";
/** The most rows that one answer is asked for. */
let answerRows = answerRowsMax;

/** Makes the screen agree with the address; runs the query again only when what it asks changed, or with `force`. */
export function follow(force = false): void {
  const { query, range, live: wantsLive, order, instant, tenant, dedup, split } = address.peek();
  const metric = isMetricQuery(query);
  const key = JSON.stringify([query, range, wantsLive, metric ? instant : order, tenant]);
  // Folding and setting side by side look at every row: where some were let go of, the list begins anew.
  const arrangement = `${dedup} ${split}`;
  const lacks = arrangement !== arrangedBy && rows.peek().held < rows.peek().size;
  arrangedBy = arrangement;
  if (key === ranFor && !force && !lacks) return;
  if (key === ranFor && lacks) say("The list begins anew: not all of its lines were held");
  ranFor = key;
  draft.value = query;
  document.title = query.trim() === "" ? "Tailrace" : `${query.slice(0, 80)} - Tailrace`;
  void run();
}

/** Puts a query in the address and runs it, also when it is the same. */
export function submit(query: string): void {
  const same = query === address.peek().query;
  draft.value = query;
  const stopLive = address.peek().live && isMetricQuery(query);
  go({ query, entry: "", page: "explore", ...(stopLive ? { live: false } : {}) }, "push");
  if (same) follow(true);
}

/** Stops waiting for the present run; what was shown stays. */
export function cancel(): void {
  running.abort();
  fail(new ApiError(0, "Cancelled"), address.peek().query);
}

/** Fetches the next page, unless there is none or one is on its way. */
export async function loadMore(): Promise<void> {
  const state = more.peek();
  if (pages === undefined || state === "end" || state === "full" || state === "loading") return;
  const { signal: abort } = running;
  more.value = "loading";
  const buffer = rows.peek();
  const limit = nextLimit(buffer);
  try {
    const ended = await pages.next((page) => {
      for (const row of page) buffer.push(row);
      changed();
    }, limit);
    if (!abort.aborted) more.value = stateAfter(buffer, ended);
  } catch (cause) {
    if (abort.aborted) return;
    const error = asApiError(cause);
    more.value = error;
    // A server may be set to give less at once than Loki does.
    if (error.status !== 400 || limit <= pageRows) return;
    answerRows = pageRows;
    await loadMore();
  }
}

/** Notes which of the groups a view shows, the most wanted first, so that they are held or come back; undefined when the view
 *  is gone. */
export function look(view: unknown, sequences: readonly number[] | undefined): void {
  const list = groups.peek();
  const { held } = rows.peek();
  returns.peek()?.look(view, sequences?.map((sequence) => list.rowOf(sequence)));
  if (rows.peek().held !== held) changed();
}

/** About when a group's lines are that are not held; nanoseconds. */
export function timeNear(sequence: number): string | undefined {
  const list = rows.peek();
  return list instanceof RowPages ? list.timeNear(groups.peek().rowOf(sequence)) : undefined;
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
export const fastLinesPerSecond = 1000;
const fastDrawMs = 45;

/** Who reads this far reads on: fewer requests bring more. */
const manyRows = 10 * pageRows;
const answerBytesMax = 4 * 1024 * 1024;
const heldBytesMax = 64 * 1024 * 1024;
const liveBytesMax = 32 * 1024 * 1024;

async function run(): Promise<void> {
  running.abort();
  running = new AbortController();
  const { signal: abort } = running;
  live.peek()?.stop();
  const state = address.peek();
  const { query } = state;
  const isEmpty = query.trim() === "";
  batch(() => {
    live.value = undefined;
    failure.value = undefined;
    progress.value = undefined;
    if (isEmpty) clear();
  });
  if (isEmpty) return;
  const resolved = askedRange(state, presentMoment());
  if (typeof resolved === "string") return fail(new ApiError(400, resolved), query);
  batch(() => {
    loading.value = true;
    stale.value = true;
    searchStarted.value = performance.now();
  });
  try {
    const asked = { query, range: resolved };
    if (isMetricQuery(query)) await runSeries(asked, abort);
    else if (state.live) await runLive(asked, abort);
    else await runLines(asked, abort);
    if (!abort.aborted) remember(query);
  } catch (cause) {
    if (!abort.aborted) fail(asApiError(cause), query);
  }
}

async function runSeries(asked: Run, abort: AbortSignal): Promise<void> {
  const query = askedSeries(asked.query, asked.range, address.peek().instant);
  const { stepSeconds } = query;
  const page = await streamSeries(query, (report) => progress.value = report, abort);
  if (abort.aborted) return;
  batch(() => {
    show(asked, new RowBuffer(0));
    series.value = { series: page.series, ...(stepSeconds === undefined ? {} : { stepSeconds }) };
    statistics.value = page.statistics;
    warnings.value = page.warnings;
    finish();
  });
}

async function runLines(asked: Run, abort: AbortSignal): Promise<void> {
  const fetched = pagesOf(asked, address.peek().order, abort);
  const buffer = new RowPages(heldBytesMax);
  const { order } = address.peek();
  const begin = () => {
    if (rows.peek() === buffer) return;
    show(asked, buffer);
    pages = fetched;
    returns.value = returnsOf(asked, order, buffer);
    more.value = "loading";
  };
  const ended = await fetched.next((page) => {
    if (abort.aborted) return;
    batch(begin);
    for (const row of page) buffer.push(row);
    changed();
  });
  if (abort.aborted) return;
  batch(() => {
    begin();
    more.value = stateAfter(buffer, ended);
    finish();
  });
}

/** The newest page first, so that the list starts with the recent past, then what comes. */
async function runLive(asked: Run, abort: AbortSignal): Promise<void> {
  const known: Row[] = [];
  await pagesOf(asked, "newest", abort).next((page) => known.push(...page));
  if (abort.aborted) return;
  batch(() => {
    const buffer = new RowBuffer(liveBytesMax);
    show(asked, buffer);
    followLive(asked, buffer, known.reverse(), abort);
    finish();
  });
}

function pagesOf(asked: Run, order: "newest" | "oldest", abort: AbortSignal): Pages {
  const first = askedLines(asked.query, asked.range, { ...address.peek(), live: false, order });
  const fetch: ConstructorParameters<typeof Pages>[2] = async (range, limit, onEntries) => {
    const outcome = await streamQuery({ ...first, ...range, limit }, {
      onEntries,
      onProgress: (report) => progress.value = report,
    }, abort);
    if (abort.aborted) return;
    progress.value = undefined;
    statistics.value = outcome.statistics;
    warnings.value = outcome.warnings;
  };
  return new Pages(asked.range, order, fetch, pageRows, answerRowsMax);
}

function returnsOf(asked: Run, order: "newest" | "oldest", buffer: RowPages): PageReturns {
  return new PageReturns(buffer, {
    read: (range, limit, abort) =>
      pagesOfQuery(asked.query, range, order, Math.min(limit, answerRows), abort),
    after,
    changed,
    asError: asApiError,
  });
}

/** How many rows the next page shall have; long ones come by fewer. */
function nextLimit({ size, bytes, held }: RowBuffer | RowPages): number {
  const most = size < manyRows ? pageRows : answerRows;
  return Math.max(50, Math.min(most, Math.floor(answerBytesMax * held / Math.max(1, bytes))));
}

/** Puts a new run's (still empty) buffer on the screen. */
function show(asked: Run, buffer: RowBuffer | RowPages): void {
  returns.peek()?.stop();
  returns.value = undefined;
  stale.value = false;
  shown.value = asked;
  selected.value = undefined;
  pages = undefined;
  series.value = undefined;
  more.value = "end";
  rows.value = buffer;
}

function finish(): void {
  loading.value = false;
  progress.value = undefined;
  version.value++;
  reopen();
}

function stateAfter(buffer: RowBuffer | RowPages, ended: boolean): MoreState {
  return ended ? "end" : buffer.full ? "full" : "more";
}

function followLive(
  asked: Run,
  buffer: RowBuffer,
  known: readonly Row[],
  abort: AbortSignal,
): void {
  for (const row of known) buffer.push(row);
  const newest = known.findLast((row) => row.kind === "entry");
  const start = asked.range.end - 5n * nanosecondsPerSecond;
  const since = newest?.kind === "entry" ? BigInt(newest.nanoseconds) : start;
  const session = new LiveSession(asked.query, buffer, since, {
    openTail,
    fetchOldest: async (range, limit) => {
      const query = { query: asked.query, ...range, limit, direction: "forward" as const };
      return (await queryRange(query, abort)).entries;
    },
    now: nowNanoseconds,
    after,
    changed,
  });
  live.value = session;
  session.start();
}

/** Calls back after some milliseconds; gives what cancels it. */
function after(milliseconds: number, callback: () => void): () => void {
  const timer = setTimeout(callback, milliseconds);
  return () => clearTimeout(timer);
}

/** Opens the entry that the address names, when it is among the rows. */
function reopen(): void {
  const { entry: name } = address.peek();
  const list = groups.peek();
  list.follow();
  const nanoseconds = name.split("-")[0];
  for (let sequence = list.first; name !== "" && sequence < list.end; sequence++) {
    const row = list.at(sequence);
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
  returns.peek()?.stop();
  returns.value = undefined;
  loading.value = false;
  stale.value = false;
  shown.value = undefined;
  series.value = undefined;
  rows.value = new RowBuffer(0);
  more.value = "end";
  statistics.value = undefined;
  warnings.value = [];
  selected.value = undefined;
  opened.value = undefined;
  pages = undefined;
}

function fail(error: ApiError, query: string): void {
  batch(() => {
    loading.value = false;
    stale.value = false;
    progress.value = undefined;
    failure.value = { error, query };
    if (more.peek() === "loading") more.value = error;
  });
}

function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError(0, String(cause));
}
