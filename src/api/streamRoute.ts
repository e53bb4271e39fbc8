/** `GET /tailrace/api/v1/query`: a query over a WebSocket, Tailrace's own. The answer of query_range comes in pieces while the
 *  scan runs: rows as soon as no better ones can come, and how far it is. Closing the connection cancels the query. docs/api.md
 *  has the frames. Invariant: the rows of all frames, one after another, are the rows that query_range answers. */
import { Cause, Effect, Exit, Fiber, type Scope } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { type AnswerClient, holdBytes } from "../actors/HeldAnswers.ts";
import { ActiveQueries } from "../actors/querier/ActiveQueries.ts";
import type { MetricAnswer, MetricProgress } from "../actors/querier/metricQuery.ts";
import { type LogAnswer, Querier, type QueryFailed } from "../actors/querier/Querier.ts";
import type { ResultRow } from "../actors/querier/merge.ts";
import type { ScanProgress, WorkProgress } from "../actors/querier/progress.ts";
import type { Settings } from "../platform/config/mod.ts";
import { acceptWebSocket } from "../platform/webSocket.ts";
import { type ApiCall, attempt } from "./apiCall.ts";
import { encodeStreams } from "./encodeRows.ts";
import { metricCallOf, metricExprOf, metricStats } from "./metricQuery.ts";
import { BadRequest, parseRequired, urlParams } from "./params.ts";
import { logCallOf, statsOf } from "./queryRoutes.ts";
import { checkOrigin, readTenantOf } from "./request.ts";
import { failureStatus, respondFailure } from "./respond.ts";
import { type SendHeld, sendingHeld } from "./sendHeld.ts";

/** Rows, and line bytes, of one frame: a browser parses a frame at a time. */
const frameRowsMax = 1000;
const frameBytesMax = 1024 * 1024;
/** Time between reports: short at first, so that what is found at once is seen at once. */
const reportMsFirst = 15;
const reportMsMax = 120;

export const streamRoute = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    const active = yield* ActiveQueries;
    const handler = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest;
      const { headers } = request;
      if ((headers["upgrade"] ?? "").toLowerCase() !== "websocket") {
        return yield* Effect.fail(
          new BadRequest("this is a WebSocket: want the header Upgrade: websocket"),
        );
      }
      yield* attempt(() => checkOrigin(headers));
      const connection = yield* Effect.tryPromise({
        try: () => acceptWebSocket(request.source),
        catch: (error) => error,
      });
      // A browser cannot see why a handshake was refused: errors of the query come after it, as a frame.
      const served = Effect.gen(function* () {
        const frames = new FrameWriter(yield* sendingHeld(connection));
        yield* attempt(() => {
          const params = urlParams(request.url);
          return { tenant: readTenantOf(settings, headers, params), params, headers };
        }).pipe(
          Effect.flatMap((call) => {
            const watched = active.watch(querier, call.params.get("query") ?? "");
            return Effect.scoped(serveQuery(settings, watched, call, frames, connection));
          }),
          Effect.catchCause((cause) => frames.failed(Cause.squash(cause))),
        );
      });
      yield* Effect.scoped(served).pipe(
        Effect.raceFirst(Effect.promise(() => connection.closed)),
        Effect.ensuring(Effect.sync(() => connection.close(1000, ""))),
        // What Effect writes as the request's answer must not follow the last frame.
        Effect.andThen(Effect.promise(() => connection.closed)),
      );
      return HttpServerResponse.empty();
    }).pipe(Effect.catch((error) => Effect.succeed(respondFailure(error))));
    yield* router.add("GET", "/tailrace/api/v1/query", handler);
  }));

const serveQuery = Effect.fnUntraced(function* (
  settings: Settings,
  querier: Querier["Service"],
  call: Omit<ApiCall, "path">,
  frames: FrameWriter,
  client: AnswerClient,
) {
  const metric = yield* attempt(() => metricExprOf(parseRequired(call.params, "query")));
  if (metric === undefined) {
    const { request, categorize } = yield* attempt(() => logCallOf(settings, call));
    frames.categorize = categorize;
    const answer = yield* reporting<ScanProgress, LogAnswer, QueryFailed>(
      (onProgress) => querier.selectLogs(request, { onProgress, client }),
      (progress) => frames.reportRows(progress),
    );
    return yield* frames.doneRows(answer);
  }
  const request = yield* attempt(() => metricCallOf(settings, metric, call));
  const answer = yield* reporting<MetricProgress, MetricAnswer, QueryFailed>(
    (onProgress) =>
      querier.selectMetrics(request, onProgress).pipe(
        // Held from here on, also while the client reads what came before.
        Effect.tap(({ samples }) => holdBytes(samples.result.length, client)),
      ),
    (progress) => frames.report(progress, { leaf: progress.leaf, leaves: progress.leaves }),
  );
  yield* frames.doneSamples(answer);
});

/** Runs a query and reports on it at intervals. A client that reads slowly makes the intervals longer, not the scan. */
function reporting<Progress, Answer, Failure>(
  query: (
    onProgress: (progress: Progress) => void,
  ) => Effect.Effect<Answer, Failure, Scope.Scope>,
  report: (progress: Progress) => Effect.Effect<void, unknown>,
): Effect.Effect<Answer, unknown, Scope.Scope> {
  return Effect.gen(function* () {
    let latest: Progress | undefined;
    const scan = yield* Effect.forkScoped(query((progress) => latest = progress));
    for (let waitMs = reportMsFirst;; waitMs = Math.min(waitMs * 2, reportMsMax)) {
      const exit = yield* Effect.raceFirst(Fiber.await(scan), Effect.sleep(waitMs));
      if (exit !== undefined) {
        return yield* Exit.match(exit, {
          onSuccess: Effect.succeed,
          onFailure: Effect.failCause,
        });
      }
      const progress = latest;
      latest = undefined;
      if (progress !== undefined) yield* report(progress);
    }
  });
}

class FrameWriter {
  categorize = false;
  readonly #send: SendHeld;
  #sentCount = 0;

  constructor(send: SendHeld) {
    this.#send = send;
  }

  report(progress: WorkProgress, more: object = {}): Effect.Effect<void, unknown> {
    const { unitsDone, unitsTotal, bytesDone, bytesTotal, rowsMatched, stats } = progress;
    const frame = JSON.stringify({
      type: "progress",
      partsDone: unitsDone,
      partsTotal: unitsTotal,
      bytesDone,
      bytesTotal,
      linesMatched: rowsMatched,
      linesScanned: stats.rowsScanned,
      bytesScanned: stats.bytesScanned,
      ...more,
    });
    return this.#send([frame]);
  }

  /** Sends the rows that are settled and not sent yet, then how far the scan is. */
  reportRows(progress: ScanProgress): Effect.Effect<void, unknown> {
    return this.#sendRows(progress.rows, progress.settledCount).pipe(
      Effect.andThen(this.report(progress)),
    );
  }

  doneRows(answer: LogAnswer): Effect.Effect<void, unknown> {
    const data = {
      resultType: "streams",
      ...(this.categorize ? { encodingFlags: ["categorize-labels"] } : {}),
      stats: statsOf(answer),
    };
    return this.#sendRows(answer.rows, answer.rows.length).pipe(
      Effect.andThen(this.#send([JSON.stringify({ type: "done", data })])),
    );
  }

  doneSamples(answer: MetricAnswer): Effect.Effect<void, unknown> {
    const { resultType, result } = answer.samples;
    const head = `{"type":"samples","data":{"resultType":"${resultType}","result":`;
    const data = { resultType, stats: metricStats(answer) };
    return this.#send([head, result, "}}"]).pipe(
      Effect.andThen(this.#send([JSON.stringify({ type: "done", data })])),
    );
  }

  /** Never fails: a client that is gone needs no message. */
  failed(error: unknown): Effect.Effect<void> {
    const message = error instanceof Error ? error.message : String(error);
    const frame = JSON.stringify({ type: "error", status: failureStatus(error), message });
    return this.#send([frame]).pipe(Effect.ignore);
  }

  #sendRows(rows: ReadonlyArray<ResultRow>, count: number): Effect.Effect<void, unknown> {
    return Effect.whileLoop({
      while: () => this.#sentCount < count,
      body: () => {
        const end = frameEnd(rows, this.#sentCount, count);
        const some = rows.slice(this.#sentCount, end);
        this.#sentCount = end;
        return this.#send([`{"type":"rows","result":`, encodeStreams(some, this.categorize), "}"]);
      },
      step: () => {},
    });
  }
}

/** Where a frame ends that begins with row `start`: at least one row later. */
function frameEnd(rows: ReadonlyArray<ResultRow>, start: number, count: number): number {
  const most = Math.min(count, start + frameRowsMax);
  let bytes = 0;
  let end = start;
  do bytes += rows[end++]!.line.length; while (end < most && bytes < frameBytesMax);
  return end;
}
