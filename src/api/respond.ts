/** Responses as Loki's clients expect them: JSON with gzip where accepted, errors as plain text. */
import { Effect, Stream } from "effect";
import { HttpServerRequest, HttpServerResponse } from "effect/http";
import { gzip } from "../platform/compression.ts";
import { QueryFailed } from "../actors/querier/Querier.ts";
import { endConnection } from "../platform/httpServer.ts";
import { Answers } from "./heldAnswers.ts";
import { BadRequest } from "./params.ts";
import { RequestRefused } from "./request.ts";

/** A response that carries `json`, already text or UTF-8. Compressed when that is worth it and the client accepts it. Large
 *  answers that wait for their clients are bounded together: one more is refused with 429 (QueryFailed, Busy). */
export const respondJson = Effect.fnUntraced(function* (json: string | Uint8Array) {
  const request = yield* HttpServerRequest.HttpServerRequest;
  const contentType = "application/json; charset=UTF-8";
  const zips = json.length >= gzipBytesMin &&
    /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  const headers: Record<string, string> = zips
    ? { "content-encoding": "gzip", vary: "Accept-Encoding" }
    : {};
  if (json.length <= smallAnswerBytes) {
    return zips
      ? HttpServerResponse.uint8Array(yield* Effect.promise(() => gzip(json)), {
        contentType,
        headers,
      })
      : typeof json === "string"
      ? HttpServerResponse.text(json, { contentType })
      : HttpServerResponse.uint8Array(json, { contentType });
  }
  const body = zips
    ? yield* Effect.promise(() => gzip(json))
    : typeof json === "string"
    ? encoder.encode(json)
    : json;
  const answers = yield* Answers;
  yield* Effect.try({
    try: () => answers.makeRoom(body.length),
    catch: (error) => error as QueryFailed,
  });
  // Held while it is sent: an answer to HEAD never is. One piece at a time, so that the socket says when it has room.
  const pieces = Stream.unwrap(Effect.sync(() => {
    const held = answers.hold(body.length, () => endConnection(request.source));
    return Stream.range(0, Math.ceil(body.length / pieceBytes) - 1).pipe(
      Stream.rechunk(1),
      Stream.map((index) => {
        held.progressed();
        return body.subarray(index * pieceBytes, (index + 1) * pieceBytes);
      }),
      Stream.ensuring(Effect.sync(held.release)),
    );
  }));
  return HttpServerResponse.stream(pieces, {
    contentType,
    contentLength: body.length,
    headers,
  });
});

const encoder = new TextEncoder();
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
