/** Responses as Loki's clients expect them: JSON with gzip where accepted, errors as plain text. */
import { type AnswerClient, growing, holdInScope } from "../actors/HeldAnswers.ts";
import { Effect, Stream } from "effect";
import { HttpServerRequest, HttpServerResponse } from "effect/http";
import { joinBytes } from "../platform/joinBytes.ts";
import { gzip } from "../platform/compression.ts";
import { QueryFailed } from "../actors/querier/Querier.ts";
import { endConnection } from "../platform/httpServer.ts";
import type { Json } from "./apiCall.ts";
import { BadRequest } from "./params.ts";
import { RequestRefused } from "./request.ts";
import { bytesOf, utf8Of } from "./utf8.ts";

/** A response that carries `json`, compressed when that is worth it and the client accepts it. What waits for its client is
 *  counted among what answers hold: one for which there is no room is refused with 429 (QueryFailed, Busy). */
export const respondJson = Effect.fnUntraced(function* (json: Json) {
  const request = yield* HttpServerRequest.HttpServerRequest;
  const plain = typeof json === "string" ? utf8Of([json]) : json;
  const plainBytes = bytesOf(plain);
  const zips = plainBytes >= gzipBytesMin &&
    /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  const contentType = "application/json; charset=UTF-8";
  const headers: Record<string, string> = zips
    ? { "content-encoding": "gzip", vary: "Accept-Encoding" }
    : {};
  const encode = zips ? Effect.promise(() => gzip(plain)) : Effect.succeed(plain);
  if (plainBytes <= smallAnswerBytes) {
    return HttpServerResponse.uint8Array(joinBytes(yield* encode), { contentType, headers });
  }
  const client = new HttpClientOf(request.source);
  const held = yield* holdInScope(client);
  held.resize(plainBytes);
  const body = yield* encode;
  const contentLength = bytesOf(body);
  held.resize(contentLength);
  yield* growing(held, contentLength);
  // One piece at a time, so that the socket says when it has room.
  const pieces = Stream.fromIterable(piecesOf(body, client)).pipe(Stream.rechunk(1));
  return HttpServerResponse.stream(pieces, { contentType, contentLength, headers });
});

/** The body in pieces that a slow client takes in moments; the client is told of each that is asked for. */
function* piecesOf(body: ReadonlyArray<Uint8Array>, client: HttpClientOf): Iterable<Uint8Array> {
  for (const part of body) {
    for (let from = 0; from < part.length; from += pieceBytes) {
      client.takes();
      yield part.subarray(from, from + pieceBytes);
    }
  }
}

/** The client of an answer over HTTP: one piece is asked for when the one before has been written out. */
class HttpClientOf implements AnswerClient {
  readonly #source: object;
  #tookAtMs: number | undefined;

  constructor(source: object) {
    this.#source = source;
  }

  readonly takes = () => void (this.#tookAtMs = performance.now());
  readonly stalledMs = () => this.#tookAtMs === undefined ? 0 : performance.now() - this.#tookAtMs;
  /** HTTP has no way to say why in the middle of an answer. */
  readonly end = () => endConnection(this.#source);
}

/** What the system's own buffers take of a connection, about. */
const smallAnswerBytes = 32 * 1024;
const pieceBytes = 256 * 1024;

const gzipBytesMin = 1400;

/** An error as Loki sends it: the bare message. Clients show it as it is. */
export function respondError(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): HttpServerResponse.HttpServerResponse {
  return HttpServerResponse.text(`${message}\n`, {
    status,
    contentType: "text/plain; charset=utf-8",
    headers: { ...headers, "x-content-type-options": "nosniff" },
  });
}

/** The response for any failure of a request that has no words of its own for it. */
export function respondFailure(error: unknown): HttpServerResponse.HttpServerResponse {
  if (error instanceof BadRequest) return respondError(400, error.message);
  if (error instanceof RequestRefused) {
    // The rest of such a body is not wanted: the connection cannot be used again.
    const unread = error.status === 408 || error.status === 413;
    return respondError(error.status, error.message, unread ? { connection: "close" } : {});
  }
  if (error instanceof RangeError) {
    return respondError(400, `the answer is too large: ${error.message}; ask for fewer lines`);
  }
  const status = failureStatus(error);
  const isPassing = status === 429 || status === 503;
  const message = error instanceof Error ? error.message : String(error);
  return respondError(status, message, isPassing ? { "retry-after": "1" } : {});
}

/** The HTTP status that a failure of a query means. */
export function failureStatus(error: unknown): number {
  if (error instanceof BadRequest || error instanceof RangeError) return 400;
  if (error instanceof RequestRefused) return error.status;
  if (!(error instanceof QueryFailed)) return 500;
  switch (error.reason) {
    case "Timeout":
      return 504;
    case "TooLarge":
    case "Refused":
      return 400;
    case "Busy":
    case "GaveWay":
      return 429;
    case "Unavailable":
    case "Moved":
      return 503;
    case "Failed":
      return 500;
    case "Cancelled":
      // Loki's code for a query that was given up.
      return 499;
  }
}
