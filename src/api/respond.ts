/** Responses as Loki's clients expect them: JSON with gzip where accepted, errors as plain text. */
import { Effect } from "effect";
import { HttpServerRequest, HttpServerResponse } from "effect/http";
import { gzip } from "../platform/compression.ts";
import { QueryFailed } from "../actors/querier/Querier.ts";
import { BadRequest } from "./params.ts";
import { RequestRefused } from "./request.ts";

/** A response that carries `json`, which is already text. Compressed when that is worth it and the client accepts it. */
export const respondJson = Effect.fnUntraced(function* (json: string) {
  const request = yield* HttpServerRequest.HttpServerRequest;
  const contentType = "application/json; charset=UTF-8";
  if (json.length >= gzipBytesMin && /\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) {
    const body = yield* Effect.promise(() => gzip(json));
    return HttpServerResponse.uint8Array(body, {
      contentType,
      headers: { "content-encoding": "gzip", vary: "Accept-Encoding" },
    });
  }
  return HttpServerResponse.text(json, { contentType });
});

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
  if (error instanceof QueryFailed) {
    switch (error.reason) {
      case "Timeout":
        return respondError(504, error.message);
      case "TooLarge":
        return respondError(400, error.message);
      case "Busy":
        return respondError(429, error.message, { "retry-after": "1" });
      case "Unavailable":
        return respondError(503, error.message, { "retry-after": "1" });
      case "Failed":
        return respondError(500, error.message);
    }
  }
  return respondError(500, error instanceof Error ? error.message : String(error));
}
