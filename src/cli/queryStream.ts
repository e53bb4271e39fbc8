/** One page of a log query over the server's WebSocket (docs/api.md, `/tailrace/api/v1/query`): entries are handed on as they come,
 *  and a terminal sees how far the scan is. Servers without it, Loki for one, are asked by HTTP: query.ts owns that. */
import { Effect, Result, Schema } from "effect";
import WebSocket from "ws";
import { terminal, writeError } from "../platform/terminal.ts";
import { type Connection, noAnswerMessage, refusalMessage } from "./connection.ts";
import { categorizeLabels, type Entry, sortedEntries, Streams } from "./entries.ts";
import { type CommandFailed, failed } from "./failure.ts";

export interface QueryPage {
  readonly query: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly limit: number;
  readonly direction: "forward" | "backward";
}

/** Runs the query. `take` gets its entries in order, portion by portion; the next one comes when it is done. Answers how many
 *  there were, or "unsupported" if the server has no streaming queries; nothing was taken then. */
export function streamQueryPage(
  connection: Connection,
  page: QueryPage,
  take: (entries: ReadonlyArray<Entry>) => Promise<void>,
): Effect.Effect<number | "unsupported", CommandFailed> {
  return Effect.callback<number | "unsupported", CommandFailed>((resume) => {
    const parameters = new URLSearchParams({
      query: page.query,
      start: String(page.start),
      end: String(page.end),
      limit: String(page.limit),
      direction: page.direction,
    });
    const socket = new WebSocket(
      `${connection.url.replace(/^http/, "ws")}/tailrace/api/v1/query?${parameters}`,
      { headers: { ...connection.headers, ...categorizeLabels } },
    );
    const display = new ProgressDisplay();
    let count = 0;
    let handled = Promise.resolve();
    const end = (outcome: Effect.Effect<number | "unsupported", CommandFailed>) => {
      // What came before the end is taken first.
      handled = handled.then(() => {
        display.clear();
        resume(outcome);
      });
    };
    const handle = async (text: string) => {
      const frame = Schema.decodeUnknownResult(Frame)(text);
      if (Result.isFailure(frame)) {
        return end(
          Effect.fail(
            failed(`${connection.url} sent what it should not: ${frame.failure.message}`),
          ),
        );
      }
      switch (frame.success.type) {
        case "progress":
          return display.show(frame.success);
        case "rows": {
          const entries = sortedEntries(frame.success.result, page.direction);
          count += entries.length;
          display.clear();
          return await take(entries);
        }
        case "error":
          return end(
            Effect.fail(
              failed(refusalMessage(frame.success.status, frame.success.message, page.query)),
            ),
          );
        case "done":
          return end(Effect.succeed(count));
      }
    };
    socket.on("message", (data) => {
      // Reading stops while the output is full, so that nothing piles up here.
      socket.pause();
      handled = handled.then(() => handle(String(data))).then(() => socket.resume());
    });
    socket.on("unexpected-response", (_request, response) => {
      response.resume();
      socket.terminate();
      end(Effect.succeed("unsupported"));
    });
    socket.on("error", (error) => end(Effect.fail(failed(noAnswerMessage(connection.url, error)))));
    socket.on("close", () => {
      end(Effect.fail(failed(`${connection.url} closed the connection before the query was done`)));
    });
    return Effect.sync(() => {
      display.clear();
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.terminate();
    });
  });
}

const Progress = Schema.Struct({
  type: Schema.Literal("progress"),
  bytesDone: Schema.Number,
  bytesTotal: Schema.Number,
  linesMatched: Schema.Number,
  bytesScanned: Schema.Number,
});

const Frame = Schema.fromJsonString(Schema.Union([
  Progress,
  Schema.Struct({ type: Schema.Literal("rows"), result: Streams }),
  Schema.Struct({ type: Schema.Literal("done") }),
  Schema.Struct({
    type: Schema.Literal("error"),
    status: Schema.Number,
    message: Schema.String,
  }),
]));

/** Queries that are done sooner show no progress, which would only flicker. */
const quietMs = 400;

class ProgressDisplay {
  readonly #startedAt = performance.now();
  #isShown = false;

  show({ bytesDone, bytesTotal, linesMatched, bytesScanned }: typeof Progress.Type): void {
    const elapsedMs = performance.now() - this.#startedAt;
    if (!terminal.errorIsTerminal || elapsedMs < quietMs) return;
    const percent = bytesTotal === 0 ? 100 : Math.floor(100 * bytesDone / bytesTotal);
    const gigabytes = (bytesScanned / 1e9).toFixed(2);
    const rate = (bytesScanned / 1e6 / (elapsedMs / 1000)).toFixed(0);
    writeError(
      `\r\x1b[K${percent} %, ${gigabytes} GB searched at ${rate} MB/s, ${linesMatched} lines found`,
    );
    this.#isShown = true;
  }

  clear(): void {
    if (this.#isShown) writeError("\r\x1b[K");
    this.#isShown = false;
  }
}
