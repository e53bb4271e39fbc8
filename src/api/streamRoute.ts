/** `GET /tailrace/api/v1/query`: a query over a WebSocket, Tailrace's own. The answer of query_range comes in pieces while the
 *  scan runs: rows as soon as no better ones can come, and how far it is. Closing the connection cancels the query. docs/api.md
 *  has the frames. Invariant: the rows of all frames, one after another, are the rows that query_range answers. */
import { Cause, Effect, Exit, Fiber } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { type LogAnswer, type LogRequest, Querier } from "../actors/querier/Querier.ts";
import type { ResultRow } from "../actors/querier/merge.ts";
import type { ScanProgress } from "../actors/querier/progress.ts";
import type { Settings } from "../platform/config/mod.ts";
import { acceptWebSocket, type WebSocketConnection } from "../platform/webSocket.ts";
import { encodeStreams } from "./encodeRows.ts";
import { BadRequest, urlParams } from "./params.ts";
import { logCallOf, statsOf } from "./queryRoutes.ts";
import { tenantOf } from "./request.ts";
import { failureStatus, respondFailure } from "./respond.ts";

/** Rows of one frame: a browser parses a frame at a time. */
const frameRowsMax = 1000;
/** Time between reports: short at first, so that what is found at once is seen at once. */
const reportMsFirst = 15;
const reportMsMax = 120;

export const streamRoute = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    const handler = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest;
      const { headers } = request;
      if ((headers["upgrade"] ?? "").toLowerCase() !== "websocket") {
        return yield* Effect.fail(
          new BadRequest("this is a WebSocket: want the header Upgrade: websocket"),
        );
      }
      const connection = yield* Effect.tryPromise({
        try: () => acceptWebSocket(request.source),
        catch: (error) => error,
      });
      // A browser cannot see why a handshake was refused: errors of the query come after it, as a frame.
      const frames = new FrameWriter(connection);
      yield* Effect.try({
        try: () => {
          const tenant = tenantOf(settings, headers);
          return logCallOf(settings, { tenant, params: urlParams(request.url), headers });
        },
        catch: (error) => error,
      }).pipe(
        Effect.flatMap((call) => serveQuery(querier, call, frames)),
        Effect.catchCause((cause) => frames.failed(Cause.squash(cause))),
        Effect.raceFirst(Effect.promise(() => connection.closed)),
        Effect.ensuring(Effect.sync(() => connection.close(1000, ""))),
      );
      return HttpServerResponse.empty();
    }).pipe(Effect.catch((error) => Effect.succeed(respondFailure(error))));
    yield* router.add("GET", "/tailrace/api/v1/query", handler);
  }));

/** Runs the query and reports on it at intervals. A client that reads slowly makes the intervals longer, not the scan. */
const serveQuery = Effect.fnUntraced(function* (
  querier: Querier["Service"],
  { request, categorize }: { readonly request: LogRequest; readonly categorize: boolean },
  frames: FrameWriter,
) {
  frames.categorize = categorize;
  let latest: ScanProgress | undefined;
  const scan = yield* Effect.forkScoped(
    querier.selectLogs(request, (progress) => latest = progress),
  );
  for (let waitMs = reportMsFirst;; waitMs = Math.min(waitMs * 2, reportMsMax)) {
    const exit = yield* Effect.raceFirst(Fiber.await(scan), Effect.sleep(waitMs));
    if (exit !== undefined) {
      const answer = yield* Exit.match(exit, {
        onSuccess: Effect.succeed,
        onFailure: Effect.failCause,
      });
      return yield* frames.done(answer);
    }
    const progress = latest;
    latest = undefined;
    if (progress !== undefined) yield* frames.report(progress);
  }
}, Effect.scoped);

class FrameWriter {
  categorize = false;
  readonly #connection: WebSocketConnection;
  #sentCount = 0;

  constructor(connection: WebSocketConnection) {
    this.#connection = connection;
  }

  /** Sends what is settled and not sent yet, then how far the scan is. */
  report(progress: ScanProgress): Effect.Effect<void, unknown> {
    const { rows, settledCount, stats, unitsDone, unitsTotal, bytesDone, bytesTotal } = progress;
    const frame = {
      type: "progress",
      partsDone: unitsDone,
      partsTotal: unitsTotal,
      bytesDone,
      bytesTotal,
      linesMatched: progress.rowsMatched,
      linesScanned: stats.rowsScanned,
      bytesScanned: stats.bytesScanned,
    };
    return this.#sendRows(rows, settledCount).pipe(
      Effect.andThen(this.#send(JSON.stringify(frame))),
    );
  }

  done(answer: LogAnswer): Effect.Effect<void, unknown> {
    const data = {
      resultType: "streams",
      ...(this.categorize ? { encodingFlags: ["categorize-labels"] } : {}),
      stats: statsOf(answer),
    };
    return this.#sendRows(answer.rows, answer.rows.length).pipe(
      Effect.andThen(this.#send(JSON.stringify({ type: "done", data }))),
    );
  }

  /** Never fails: a client that is gone needs no message. */
  failed(error: unknown): Effect.Effect<void> {
    const message = error instanceof Error ? error.message : String(error);
    const frame = JSON.stringify({ type: "error", status: failureStatus(error), message });
    return this.#send(frame).pipe(Effect.ignore);
  }

  #sendRows(rows: ReadonlyArray<ResultRow>, count: number): Effect.Effect<void, unknown> {
    return Effect.whileLoop({
      while: () => this.#sentCount < count,
      body: () => {
        const end = Math.min(count, this.#sentCount + frameRowsMax);
        const some = rows.slice(this.#sentCount, end);
        this.#sentCount = end;
        return this.#send(`{"type":"rows","result":${encodeStreams(some, this.categorize)}}`);
      },
      step: () => {},
    });
  }

  #send(frame: string): Effect.Effect<void, unknown> {
    return Effect.tryPromise({ try: () => this.#connection.send(frame), catch: (error) => error });
  }
}
