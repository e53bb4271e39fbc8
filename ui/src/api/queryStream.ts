// A query whose rows and progress come while the server still searches, over Tailrace's WebSocket (docs/api.md); where there
// is none (a proxy without WebSockets, another server that speaks Loki's API) the same in one piece. Invariant: the entries
// given, in the order given, are those that query_range answers; aborting closes the connection, and the server stops
// searching.
import type { Entry } from "../model/row.ts";
import {
  queryRange,
  querySeries,
  readSeries,
  readStatistics,
  readStreams,
  type Series,
  type SeriesPage,
  sortEntries,
  type Statistics,
  type WireStatistics,
  type WireStream,
} from "./loki.ts";
import { listen, takeSocket } from "./headStart.ts";
import {
  rangeParameters,
  type RangeQuery,
  seriesParameters,
  type SeriesQuery,
  streamUrl,
} from "./parameters.ts";
import { ApiError } from "./request.ts";

/** How far a search is. */
export interface Progress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly linesMatched: number;
  readonly bytesScanned: number;
}

export interface StreamHandlers {
  /** Entries in the direction asked for. */
  readonly onEntries: (entries: Entry[]) => void;
  readonly onProgress: (progress: Progress) => void;
}

export interface StreamOutcome {
  readonly statistics: Statistics;
  readonly warnings: readonly string[];
}

/** Runs a log query; resolves when all entries were given. Throws ApiError, or the abort's reason. */
export async function streamQuery(
  query: RangeQuery,
  handlers: StreamHandlers,
  signal: AbortSignal,
): Promise<StreamOutcome> {
  const outcome = await overSocket(rangeParameters(query), (frame) => {
    if (frame.type === "progress") handlers.onProgress(frame);
    if (frame.type !== "rows") return;
    const entries = readStreams(frame.result);
    sortEntries(entries, query.direction);
    handlers.onEntries(entries);
  }, signal);
  if (outcome !== undefined) return outcome;
  const page = await queryRange(query, signal);
  handlers.onEntries(page.entries);
  return page;
}

/** Runs a metric query over a range; its series come at the end. Throws ApiError, or the abort's reason. */
export async function streamSeries(
  query: SeriesQuery,
  onProgress: StreamHandlers["onProgress"],
  signal: AbortSignal,
): Promise<SeriesPage> {
  if (query.stepSeconds === undefined) return await querySeries(query, signal);
  let series: Series[] = [];
  const outcome = await overSocket(seriesParameters(query), (frame) => {
    if (frame.type === "progress") onProgress(frame);
    if (frame.type === "samples") series = readSeries(frame.data.resultType, frame.data.result);
  }, signal);
  return outcome === undefined ? await querySeries(query, signal) : { series, ...outcome };
}

let socketRefused = false;

type Frame =
  | { readonly type: "rows"; readonly result: readonly WireStream[] }
  | (Progress & { readonly type: "progress" })
  | {
    readonly type: "samples";
    readonly data: { readonly resultType: string; readonly result: unknown };
  }
  | { readonly type: "done"; readonly data?: { stats?: WireStatistics; warnings?: string[] } }
  | { readonly type: "error"; readonly status?: number; readonly message: string };

/** Gives each frame to `take` until the last; undefined when the server has no such WebSocket. */
async function overSocket(
  parameters: Record<string, string>,
  take: (frame: Frame) => void,
  signal: AbortSignal,
): Promise<StreamOutcome | undefined> {
  const url = socketRefused ? undefined : streamUrl(parameters);
  if (url === undefined) return undefined;
  const outcome = await exchange(url, take, signal);
  if (outcome === undefined) socketRefused = true;
  return outcome;
}

function exchange(
  url: URL,
  take: (frame: Frame) => void,
  signal: AbortSignal,
): Promise<StreamOutcome | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const early = takeSocket(url);
    const socket = early?.socket ?? new WebSocket(url);
    let isOpen = false;
    const ended = new AbortController();
    const end = () => {
      ended.abort();
      socket.close();
    };
    const receive = (frame: Frame) => {
      if (frame.type !== "done" && frame.type !== "error") return take(frame);
      end();
      if (frame.type === "error") return reject(new ApiError(frame.status ?? 0, frame.message));
      const { stats, warnings = [] } = frame.data ?? {};
      resolve({ statistics: readStatistics(stats), warnings });
    };
    const closed = ({ code, reason }: CloseEvent) => {
      end();
      if (!isOpen) return resolve(undefined);
      const words = reason === "" ? `code ${code}` : reason;
      reject(new ApiError(0, `The connection was lost during the search (${words}).`));
    };
    const hear = (event: Event) => {
      if (ended.signal.aborted) return;
      if (event.type === "open") isOpen = true;
      else if (event.type === "message") receive(JSON.parse(String((event as MessageEvent).data)));
      else closed(event as CloseEvent);
    };
    listen(socket, hear, ended.signal);
    signal.addEventListener("abort", () => {
      end();
      reject(signal.reason);
    }, { signal: ended.signal });
    // As if it were said now: the caller has nothing to read answers with before it returns.
    queueMicrotask(() => early?.take().forEach(hear));
  });
}
