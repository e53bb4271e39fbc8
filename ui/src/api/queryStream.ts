// A log query whose rows come while the server still searches, over Tailrace's WebSocket (docs/api.md); where there is none (a
// proxy without WebSockets, another server that speaks Loki's API) the same in one piece. Invariant: the entries given, in
// the order given, are those that query_range answers; aborting closes the connection, and the server stops searching.
import type { Entry } from "../model/row.ts";
import {
  queryRange,
  rangeParameters,
  type RangeQuery,
  readStatistics,
  readStreams,
  sortEntries,
  type Statistics,
  type WireStatistics,
  type WireStream,
} from "./loki.ts";
import { ApiError, socketUrl } from "./request.ts";

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
  if (!socketRefused && query.query.length < addressCharactersMax) {
    const outcome = await overSocket(query, handlers, signal);
    if (outcome !== "refused") return outcome;
    socketRefused = true;
  }
  const page = await queryRange(query, signal);
  handlers.onEntries(page.entries);
  return page;
}

/** A WebSocket cannot carry the query in a body, and servers and proxies bound addresses. */
const addressCharactersMax = 4000;
let socketRefused = false;

type Frame =
  | { readonly type: "rows"; readonly result: readonly WireStream[] }
  | (Progress & { readonly type: "progress" })
  | { readonly type: "done"; readonly data?: { stats?: WireStatistics; warnings?: string[] } }
  | { readonly type: "error"; readonly status?: number; readonly message: string };

function overSocket(
  query: RangeQuery,
  { onEntries, onProgress }: StreamHandlers,
  signal: AbortSignal,
): Promise<StreamOutcome | "refused"> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = new WebSocket(socketUrl("tailrace/api/v1/query", {
      ...rangeParameters(query),
      encoding_flags: "categorize-labels",
    }));
    let isOpen = false;
    const ended = new AbortController();
    const end = () => {
      ended.abort();
      socket.close();
    };
    const take = (frame: Frame) => {
      if (frame.type === "progress") return onProgress(frame);
      if (frame.type === "rows") {
        const entries = readStreams(frame.result);
        sortEntries(entries, query.direction);
        return onEntries(entries);
      }
      end();
      if (frame.type === "error") return reject(new ApiError(frame.status ?? 0, frame.message));
      const { stats, warnings = [] } = frame.data ?? {};
      resolve({ statistics: readStatistics(stats), warnings });
    };
    const options = { signal: ended.signal };
    socket.addEventListener("open", () => isOpen = true, options);
    socket.addEventListener("message", ({ data }) => take(JSON.parse(String(data))), options);
    socket.addEventListener("close", ({ code, reason }) => {
      end();
      if (!isOpen) return resolve("refused");
      const words = reason === "" ? `code ${code}` : reason;
      reject(new ApiError(0, `The connection was lost during the search (${words}).`));
    }, options);
    signal.addEventListener("abort", () => {
      end();
      reject(signal.reason);
    }, options);
  });
}
