/** `POST /loki/api/v1/push` and its legacy spelling: streams/pushFormat.ts knows its forms, otlpRoutes.ts OTLP's. */
import { Cause, Effect } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { Distributor, PushRefused } from "../actors/distributor/Distributor.ts";
import type { Settings } from "../platform/config/mod.ts";
import { DecompressFailed } from "../platform/compression.ts";
import { otlpLogsHandler } from "./otlpRoutes.ts";
import { BytesInFlight, withPushBody } from "./pushBody.ts";
import { encodedPush, pushFormatOf, PushHeadersInvalid } from "../streams/pushFormat.ts";
import { JsonPushInvalid } from "../streams/pushJson.ts";
import { tenantOf } from "./request.ts";
import { respondError, respondFailure } from "./respond.ts";

export const pushRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const distributor = yield* Distributor;
    const inFlight = new BytesInFlight(settings.distributor.max_inflight_size);
    const handler = (legacy: boolean) => handlePush(settings, distributor, inFlight, legacy);
    yield* router.add("POST", "/loki/api/v1/push", handler(false));
    yield* router.add("POST", "/api/prom/push", handler(true));
    yield* router.add("POST", "/otlp/v1/logs", otlpLogsHandler(settings, distributor, inFlight));
  }));

const handlePush = (
  settings: Settings,
  distributor: Distributor["Service"],
  inFlight: BytesInFlight,
  legacy: boolean,
) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const { tenant, format } = yield* Effect.try({
      try: () => ({
        tenant: tenantOf(settings, request.headers),
        format: pushFormatOf(request.headers),
      }),
      catch: (error) => error,
    });
    const { max_recv_msg_size: bytesMax, max_json_size: jsonBytesMax } = settings.distributor;
    const wanted = {
      encoding: format.encoding,
      unzippedMax: format.json ? jsonBytesMax : bytesMax,
    };
    yield* withPushBody(settings, inFlight, request.headers, wanted, (body) =>
      Effect.suspend(() =>
        distributor.push(tenant, encodedPush(body, format, legacy))
      ));
    return HttpServerResponse.empty({ status: 204 });
  }).pipe(
    // What the synchronous steps throw is a refusal, too.
    Effect.sandbox,
    Effect.catch((cause) =>
      Effect.succeed(respondPushFailure(Cause.squash(cause)))
    ),
  );

function respondPushFailure(error: unknown): HttpServerResponse.HttpServerResponse {
  if (error instanceof PushRefused) {
    return respondError(
      error.status,
      error.message,
      error.status === 429 || error.status === 503 ? { "retry-after": "1" } : {},
    );
  }
  if (error instanceof DecompressFailed) {
    return respondError(error.tooLarge ? 413 : 400, error.message);
  }
  if (error instanceof JsonPushInvalid || error instanceof PushHeadersInvalid) {
    return respondError(400, error.message);
  }
  return respondFailure(error);
}
