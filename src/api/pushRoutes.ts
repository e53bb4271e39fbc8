/** `POST /loki/api/v1/push` and its legacy spelling: content types and encodings as Loki takes them, bytes in flight bounded. */
import { Cause, Effect } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { Distributor, PushRefused } from "../actors/distributor/Distributor.ts";
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
    const { tenant, format } = yield* Effect.try({
      try: () => ({
        tenant: tenantOf(settings, request.headers),
        format: formatOf(request.headers),
      }),
      catch: (error) => error,
    });
    const { max_recv_msg_size: bytesMax, max_json_size: jsonBytesMax } = settings.distributor;
    const declared = Number(request.headers["content-length"] ?? bytesMax);
    const unzippedMax = format.json ? jsonBytesMax : bytesMax;
    const hold = new Hold(inFlight, settings.distributor.max_inflight_size);
    return yield* Effect.gen(function* () {
      hold.add(Math.min(declared, bytesMax));
      const body = yield* readBody(bytesMax, settings.server.http_server_read_timeout);
      const unzipped = yield* Effect.tryPromise({
        try: () => unzip(body, format, unzippedMax),
        catch: (error) => error,
      });
      hold.add(unzipped.length - body.length);
      const push = format.json
        ? { bytes: transcodeJsonPush(unzipped, legacy), isSnappy: false }
        : { bytes: unzipped, isSnappy: true };
      yield* distributor.push(tenant, push);
      return HttpServerResponse.empty({ status: 204 });
    }).pipe(Effect.ensuring(Effect.sync(() => hold.release())));
  }).pipe(
    // What the synchronous steps throw is a refusal, too.
    Effect.sandbox,
    Effect.catch((cause) => Effect.succeed(respondPushFailure(Cause.squash(cause)))),
  );

/** One request's share of the bytes in flight. */
class Hold {
  readonly #inFlight: InFlight;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(inFlight: InFlight, bytesMax: number) {
    this.#inFlight = inFlight;
    this.#bytesMax = bytesMax;
  }

  /** Throws a PushRefused when all requests together would hold too much. */
  add(bytes: number): void {
    if (bytes <= 0) return;
    if (!this.#inFlight.reserve(bytes)) {
      throw new PushRefused({
        status: 429,
        message: `too many pushes at once: ${this.#bytesMax} bytes are being received, which is ` +
          "distributor.max_inflight_size; send again later",
      });
    }
    this.#bytes += bytes;
  }

  release(): void {
    this.#inFlight.release(this.#bytes);
    this.#bytes = 0;
  }
}

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

/** The body without its content encoding, at most `bytesMax` bytes. */
async function unzip(body: Uint8Array, format: PushFormat, bytesMax: number): Promise<Uint8Array> {
  switch (format.encoding) {
    case "gzip":
      return await decompressGzip(body, bytesMax);
    case "deflate":
      return await decompressDeflate(body, bytesMax);
    default:
      if (body.length > bytesMax) {
        throw new DecompressFailed(
          `the body has ${body.length} bytes, the limit is ${bytesMax}`,
          true,
        );
      }
      return body;
  }
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
