/** Receives the body of a push, whatever its format: bounds what all pushes together hold in memory, and undoes the content
 *  encoding. pushRoutes.ts and otlpRoutes.ts own what the bytes mean. */
import { Effect } from "effect";
import { type HttpServerRequest } from "effect/http";
import { PushRefused } from "../actors/distributor/Distributor.ts";
import { type ContentEncoding, unzipBody } from "../platform/compression.ts";
import type { Settings } from "../platform/config/mod.ts";
import { readBody, readBodyInPieces } from "./request.ts";

/** Gives the current request's body, at most `unzippedMax` bytes of it, to `use`; it counts as held until that ends. */
export const withPushBody = <Result, Failure>(
  settings: Settings,
  inFlight: BytesInFlight,
  headers: Readonly<Record<string, string | undefined>>,
  { encoding, unzippedMax }: {
    readonly encoding: ContentEncoding;
    readonly unzippedMax: number;
  },
  use: (body: Uint8Array) => Effect.Effect<Result, Failure>,
): Effect.Effect<Result, unknown, HttpServerRequest.HttpServerRequest> => {
  const { max_recv_msg_size: bytesMax, max_inflight_size: inFlightMax } = settings.distributor;
  const hold = new Hold(inFlight, inFlightMax);
  return Effect.gen(function* () {
    const length = headers["content-length"];
    const timeoutMs = settings.server.http_server_read_timeout;
    if (length !== undefined) hold.add(Math.min(Number(length), bytesMax));
    const body = length === undefined
      ? yield* readBodyInPieces(bytesMax, timeoutMs, (bytes) => hold.add(bytes))
      : yield* readBody(bytesMax, timeoutMs);
    const unzipped = yield* Effect.tryPromise({
      try: () => unzipBody(body, encoding, unzippedMax),
      catch: (error) => error,
    });
    hold.add(unzipped.length - body.length);
    return yield* use(unzipped);
  }).pipe(Effect.ensuring(Effect.sync(() => hold.release())));
};

/** Body bytes that requests hold at this moment. */
export class BytesInFlight {
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

/** One request's share of the bytes in flight. */
export class Hold {
  readonly #inFlight: BytesInFlight;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(inFlight: BytesInFlight, bytesMax: number) {
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
