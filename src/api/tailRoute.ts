/** `GET /loki/api/v1/tail`: Loki's WebSocket protocol. First the newest lines since `start`, oldest
 *  of them first, then every matching line as it becomes durable. The seam is exact: the tail
 *  subscribes before it queries, and starts at the log offset up to which the answer reaches. A slow
 *  client loses lines, never the server its memory; what is lost is counted in dropped and named in dropped_entries. */
import { Cause, Effect } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { Querier } from "../actors/querier/Querier.ts";
import { type Tail, type TailedRows, Tailer, type Taken } from "../actors/tailer/Tailer.ts";
import { limitsFor, type Settings } from "../platform/config/mod.ts";
import { systemNowNs } from "../platform/clock.ts";
import { acceptWebSocket, type WebSocketConnection } from "../platform/webSocket.ts";
import { parseLabels } from "../streams/labels.ts";
import { type EncodableRow, encodeStreams } from "./encodeRows.ts";
import { type ExecutableQuery, logQueryOf } from "./logQuery.ts";
import {
  BadRequest,
  parseCategorize,
  parseLimit,
  parseRequired,
  parseTime,
  urlParams,
} from "./params.ts";
import { checkOrigin, tenantOf } from "./request.ts";
import { respondFailure } from "./respond.ts";
import { type SendHeld, sendingHeld } from "./sendHeld.ts";

const limitDefault = 100;
const hourNs = 3_600_000_000_000n;
/** Line bytes that wait for one client. */
const bufferBytesMax = 16 * 1024 * 1024;
/** Rows, and line bytes, of one frame: a browser parses a frame at a time. */
const frameRowsMax = 2000;
const frameBytesMax = 1024 * 1024;
/** What a stopping server gives clients to read what they were sent. */
const stopMs = 2000;

interface TailCall extends ExecutableQuery {
  readonly tenant: string;
  readonly limit: number;
  readonly start: bigint;
  readonly delayMs: number;
  readonly categorize: boolean;
}

export const tailRoute = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    const tailer = yield* Tailer;
    const handler = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest;
      const call = yield* Effect.try({
        try: () => {
          checkOrigin(request.headers);
          return tailCallOf(settings, request);
        },
        catch: (error) => error,
      });
      const connection = yield* Effect.tryPromise({
        try: () => acceptWebSocket(request.source),
        catch: (error) => error,
      });
      yield* serveTail(settings, querier, tailer, call, connection);
      return HttpServerResponse.empty();
    }).pipe(Effect.catch((error) => Effect.succeed(respondFailure(error))));
    yield* router.add("GET", "/loki/api/v1/tail", handler);
    yield* router.add("GET", "/api/prom/tail", handler);
  }));

function tailCallOf(settings: Settings, request: HttpServerRequest.HttpServerRequest): TailCall {
  const params = urlParams(request.url);
  const tenant = tenantOf(settings, request.headers, params);
  if ((request.headers["upgrade"] ?? "").toLowerCase() !== "websocket") {
    throw new BadRequest("tail is a WebSocket: want the header Upgrade: websocket");
  }
  const delay = params.get("delay_for") ?? "0";
  if (!/^\d+$/.test(delay) || Number(delay) > 5) {
    throw new BadRequest(
      `delay_for can't be greater than 5 seconds, and must be a whole number: it is "${delay}"`,
    );
  }
  return {
    tenant,
    ...logQueryOf(parseRequired(params, "query")),
    limit: parseLimit(
      params,
      limitDefault,
      limitsFor(settings, tenant).max_entries_limit_per_query,
    ),
    start: parseTime(params, "start") ?? systemNowNs() - hourNs,
    delayMs: Number(delay) * 1000,
    categorize: parseCategorize(params, request.headers),
  };
}

/** Runs until the client is gone, the time limit is reached, or the server stops. */
const serveTail = (
  settings: Settings,
  querier: Querier["Service"],
  tailer: Tailer["Service"],
  call: TailCall,
  connection: WebSocketConnection,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const most = limitsFor(settings, call.tenant).max_concurrent_tail_requests;
    const open = tailer.count(call.tenant);
    if (open >= most) {
      connection.close(
        1011,
        `max concurrent tail requests limit exceeded, count > limit (${open + 1} > ${most})`,
      );
      return Effect.promise(() => connection.closed);
    }
    const tail = tailer.subscribe({ ...call, bufferBytesMax, client: connection });
    const sent = Effect.gen(function* () {
      const send = framesOf(call, yield* sendingHeld(connection));
      yield* tail.ready;
      tail.startAt(yield* Effect.scoped(sendHistory(querier, call, connection, send)));
      yield* sendLive(tail, call, send);
    });
    return Effect.scoped(sent).pipe(
      Effect.catchCause((cause) => Effect.sync(() => connection.close(1011, reasonOf(cause)))),
      Effect.raceFirst(Effect.promise(() => connection.closed)),
      Effect.raceFirst(tailer.stopped),
      Effect.timeoutOrElse({
        duration: settings.querier.tail_max_duration,
        orElse: () => Effect.sync(() => connection.close(1011, "reached tail max duration limit")),
      }),
      Effect.ensuring(Effect.sync(() => {
        tail.close();
        connection.close(1001, "the server is stopping", stopMs);
      })),
      // What Effect writes as the request's answer must not follow the last frame.
      Effect.andThen(Effect.promise(() => connection.closed)),
    );
  });

/** What a close frame can say: at most 123 bytes. */
function reasonOf(cause: Cause.Cause<unknown>): string {
  const error = Cause.squash(cause);
  return (error instanceof Error ? error.message : String(error)).replace(/[^ -~]/g, "?").slice(
    0,
    120,
  );
}

/** Sends rows, and what `lost` says as members of the first of their frames. */
type SendRows = (rows: Iterable<EncodableRow>, lost: string) => Effect.Effect<void, unknown>;

function framesOf({ categorize }: TailCall, send: SendHeld): SendRows {
  const flags = categorize ? ',"encodingFlags":["categorize-labels"]' : "";
  return Effect.fnUntraced(function* (rows, lost) {
    let [some, bytes, more]: [EncodableRow[], number, string] = [[], 0, lost];
    const frame = () => send([`{"streams":${encodeStreams(some, categorize)}${more}${flags}}`]);
    for (const row of rows) {
      some.push(row);
      bytes += row.line.length;
      if (some.length < frameRowsMax && bytes < frameBytesMax) continue;
      yield* frame();
      [some, bytes, more] = [[], 0, ""];
    }
    if (some.length > 0 || more !== "") yield* frame();
  });
}

/** Sends the newest lines since `start`; the result says where the live lines continue. */
const sendHistory = Effect.fnUntraced(function* (
  querier: Querier["Service"],
  call: TailCall,
  client: WebSocketConnection,
  send: SendRows,
) {
  const { rows, logTo } = yield* querier.selectLogs({
    ...call,
    range: { start: call.start, end: 2n ** 63n - 1n },
    direction: "backward",
  }, { client });
  yield* send([...rows].reverse(), "");
  return logTo;
});

const sendLive = (
  tail: Tail,
  call: TailCall,
  send: SendRows,
): Effect.Effect<never, unknown> =>
  Effect.forever(Effect.gen(function* () {
    const taken = yield* tail.take;
    const last = taken.rows.at(-1);
    if (call.delayMs > 0 && last !== undefined) {
      const waitMs = last.receivedMs + call.delayMs - performance.now();
      if (waitMs > 0) yield* Effect.sleep(waitMs);
    }
    yield* send(rowsOf(taken.rows), encodeLost(taken));
  }));

function* rowsOf(tailed: ReadonlyArray<TailedRows>): Iterable<EncodableRow> {
  for (const { labels, rows } of tailed) {
    const { timestamps, lines, lineEnds, meta, metaEnds, parsed, parsedEnds, streamIds } = rows;
    for (let row = 0; row < timestamps.length; row++) {
      const streamId = streamIds[row]!;
      yield {
        time: timestamps[row]!,
        labels: streamId === 0 ? labels : rows.streams[streamId - 1]!,
        line: rowBytes(lines, lineEnds, row),
        meta: rowBytes(meta, metaEnds, row),
        parsed: rowBytes(parsed, parsedEnds, row),
      };
    }
  }
}

function rowBytes(bytes: Uint8Array, ends: Uint32Array, row: number): Uint8Array {
  return bytes.subarray(row === 0 ? 0 : ends[row - 1]!, ends[row]!);
}

/** What was dropped, as members of a frame: Loki's list, which names the first of them, and ours, which counts them all. */
function encodeLost(taken: Taken): string {
  const { droppedCount, unexaminedCount, dropped, droppedFrom, droppedTo } = taken;
  if (droppedCount === 0) return "";
  const named = dropped.map(({ labels, time }) => ({
    labels: Object.fromEntries(parseLabels(labels)),
    timestamp: time.toString(),
  }));
  const all = {
    count: droppedCount,
    ...(unexaminedCount > 0 ? { unexamined: unexaminedCount } : {}),
    first: droppedFrom.toString(),
    last: droppedTo.toString(),
  };
  return `,"dropped_entries":${JSON.stringify(named)},"dropped":${JSON.stringify(all)}`;
}
