/** `POST /loki/api/v1/push` and its legacy spelling: content types and encodings as Loki takes them, bytes in flight bounded. */
import { Effect } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { Distributor, type PushBody, PushRefused } from "../actors/distributor/Distributor.ts";
import type { Settings } from "../platform/config/mod.ts";
import { decompressDeflate, DecompressFailed, decompressGzip } from "../platform/compression.ts";
import { JsonPushInvalid, transcodeJsonPush } from "./pushJson.ts";
import { readBody, RequestRefused, tenantOf } from "./request.ts";
import { respondError, respondFailure } from "./respond.ts";

/** Body bytes that requests hold at this moment. */
class InFlight {
  #bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether `bytes` more may be held; a single request always may. */
  reserve(bytes: number): boolean {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export const pushRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const distributor = yield* Distributor;
    const inFlight = new InFlight(settings.distributor.max_inflight_size);
    const handler = (legacy: boolean) => handlePush(settings, distributor, inFlight, legacy);
    yield* router.add("POST", "/loki/api/v1/push", handler(false));
    yield* router.add("POST", "/api/prom/push", handler(true));
  }));

const handlePush = (
  settings: Settings,
  distributor: Distributor["Service"],
  inFlight: InFlight,
  legacy: boolean,
) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const tenant = yield* Effect.try({
      try: () => tenantOf(settings, request.headers),
      catch: (error) => error as RequestRefused,
    });
    const format = yield* Effect.try({
      try: () => formatOf(request.headers),
      catch: (error) => error as RequestRefused,
    });
    const { max_recv_msg_size: bytesMax, max_decompressed_size: rawBytesMax } =
      settings.distributor;
    const reserved = Math.min(Number(request.headers["content-length"] ?? bytesMax), bytesMax);
    if (!inFlight.reserve(reserved)) {
      return respondError(
        429,
        `too many pushes at once: ${settings.distributor.max_inflight_size} bytes are being received, which is ` +
          "distributor.max_inflight_size; send again later",
        { "retry-after": "1" },
      );
    }
    return yield* readBody(bytesMax, settings.server.http_server_read_timeout).pipe(
      Effect.flatMap((body) =>
        Effect.tryPromise({
          try: () => pushBody(body, format, rawBytesMax, legacy),
          catch: (error) => error,
        })
      ),
      Effect.flatMap((body) => distributor.push(tenant, body)),
      Effect.ensuring(Effect.sync(() => inFlight.release(reserved))),
      Effect.as(HttpServerResponse.empty({ status: 204 })),
    );
  }).pipe(Effect.catch((error) => Effect.succeed(respondPushFailure(error))));

interface PushFormat {
  readonly json: boolean;
  readonly encoding: "" | "gzip" | "deflate";
}

/** What the headers say the body is. */
function formatOf(headers: Readonly<Record<string, string | undefined>>): PushFormat {
  const type = (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(type)) {
    throw new RequestRefused(
      400,
      `cannot read Content-Type "${
        headers["content-type"] ?? ""
      }": want application/json or application/x-protobuf`,
    );
  }
  const encoding = (headers["content-encoding"] ?? "").trim().toLowerCase();
  switch (encoding) {
    case "":
    case "snappy":
      return { json: type === "application/json", encoding: "" };
    case "gzip":
    case "deflate":
      return { json: type === "application/json", encoding };
    default:
      throw new RequestRefused(
        400,
        `Content-Encoding "${encoding}" not supported: want gzip, deflate, snappy or none`,
      );
  }
}

/** The push as the distributor takes it. */
async function pushBody(
  body: Uint8Array,
  format: PushFormat,
  bytesMax: number,
  legacy: boolean,
): Promise<PushBody> {
  const unzipped = format.encoding === "gzip"
    ? await decompressGzip(body, bytesMax)
    : format.encoding === "deflate"
    ? await decompressDeflate(body, bytesMax)
    : body;
  return format.json
    ? { bytes: transcodeJsonPush(unzipped, legacy), isSnappy: false }
    : { bytes: unzipped, isSnappy: true };
}

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
  if (error instanceof JsonPushInvalid) return respondError(400, error.message);
  return respondFailure(error);
}
