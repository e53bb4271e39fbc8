/** What every route needs of a request: its tenant, its body within bounds, its parameters from URL and form. */
import { Effect, Stream } from "effect";
import { HttpIncomingMessage, type HttpServerError, HttpServerRequest } from "effect/http";
import { ByteSize } from "effect";
import type { Settings } from "../platform/config/mod.ts";
import { joinBytes } from "../platform/joinBytes.ts";
import { type BadRequest, urlParams } from "./params.ts";

/** A failure with its status and text. */
export class RequestRefused extends Error {
  override readonly name = "RequestRefused";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Refuses the WebSocket that a page of another site opens: browsers let every page open one to everywhere, with what the user's
 *  browser can reach. Programs that are no browsers send no Origin. Throws RequestRefused. */
export function checkOrigin(headers: Readonly<Record<string, string | undefined>>): void {
  const { origin, host, "x-forwarded-host": proxied } = headers;
  if (origin === undefined) return;
  // Proxies in a row make a list.
  const own = [host, ...proxied?.split(",") ?? []].filter((name) => name !== undefined)
    .map((name) => hostOf(`${origin.split(":")[0]}://${name.trim()}`));
  const asking = hostOf(origin);
  if (asking !== undefined && own.includes(asking)) return;
  throw new RequestRefused(
    403,
    `the page ${
      JSON.stringify(origin.slice(0, 200))
    } may not open a WebSocket here: its host must be that of the request, which is ` +
      `${
        JSON.stringify((host ?? "").slice(0, 200))
      }; a proxy must pass on Host, or set X-Forwarded-Host`,
  );
}

/** Name and port of a URL, without the port that its scheme has anyway. */
function hostOf(url: string): string | undefined {
  const host = URL.parse(url)?.host;
  return host === "" ? undefined : host;
}

/** What a read is for: a tenant, or with querier.multi_tenant_queries_enabled several, sorted, with `|` between. */
export function readTenantOf(
  settings: Settings,
  headers: Readonly<Record<string, string | undefined>>,
  socketParams?: URLSearchParams,
): string {
  const id = headers["x-scope-orgid"] ?? socketParams?.get("tenant") ?? "";
  const isSeveral = settings.auth_enabled && id.includes("|");
  if (!isSeveral || !settings.querier.multi_tenant_queries_enabled) {
    return tenantOf(settings, headers, socketParams);
  }
  const tenants = id.split("|").map((one) => tenantOf(settings, { "x-scope-orgid": one }));
  if (tenants.length > tenantsMax) {
    throw new RequestRefused(
      400,
      `${tenants.length} tenants in X-Scope-OrgID, the limit is ${tenantsMax}`,
    );
  }
  return [...new Set(tenants)].sort().join("|");
}

/** Tenants of one read. */
const tenantsMax = 100;

/** The tenant that a request is for. Without auth_enabled all are one. A browser cannot set headers on a WebSocket: there the
 *  parameter `tenant` of `socketParams` counts where the header is missing. */
export function tenantOf(
  settings: Settings,
  headers: Readonly<Record<string, string | undefined>>,
  socketParams?: URLSearchParams,
): string {
  if (!settings.auth_enabled) return "fake";
  const id = headers["x-scope-orgid"] ?? socketParams?.get("tenant") ?? undefined;
  if (id === undefined || id === "") throw new RequestRefused(401, "no org id");
  if (id.includes("|")) throw new RequestRefused(400, "multiple org IDs present");
  if (id.length > 150) {
    throw new RequestRefused(400, "tenant ID is too long: max 150 characters");
  }
  const bad = /[^A-Za-z0-9!\-_.*'()]/.exec(id);
  if (bad !== null) {
    throw new RequestRefused(400, `tenant ID '${id}' contains unsupported character '${bad[0]}'`);
  }
  if (id === "." || id === "..") throw new RequestRefused(400, "tenant ID is '.' or '..'");
  return id;
}

/** The whole body, at most `bytesMax`, arrived within `timeoutMs`. A client that is slower than that, or longer, is refused;
 *  its connection is closed after the answer. */
export const readBody = (
  bytesMax: number,
  timeoutMs: number,
): Effect.Effect<Uint8Array, RequestRefused, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const declared = Number(request.headers["content-length"] ?? "0");
    if (declared > bytesMax) {
      return yield* Effect.fail(tooLarge(declared, bytesMax));
    }
    const body = yield* request.arrayBuffer.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bytesMax)),
      Effect.mapError((error) => bodyFailure(error, bytesMax)),
      inTime(timeoutMs),
    );
    return new Uint8Array(body);
  });

/** The same of a body that does not say how long it is: each piece is told to `onPiece` when it arrives, which may throw. */
export const readBodyInPieces = (
  bytesMax: number,
  timeoutMs: number,
  onPiece: (bytes: number) => void,
): Effect.Effect<Uint8Array, unknown, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const pieces: Uint8Array[] = [];
    let size = 0;
    const take = (piece: Uint8Array) => {
      size += piece.length;
      if (size > bytesMax) throw tooLarge(undefined, bytesMax);
      onPiece(piece.length);
      pieces.push(piece);
    };
    const onPieceOf = (piece: Uint8Array) =>
      Effect.try({ try: () => take(piece), catch: (error) => error });
    yield* request.stream.pipe(
      Stream.mapError((error) => bodyFailure(error, bytesMax)),
      Stream.runForEach(onPieceOf),
      inTime(timeoutMs),
    );
    return joinBytes(pieces);
  });

function inTime(timeoutMs: number) {
  const text = `the body did not arrive within server.http_server_read_timeout (${
    timeoutMs / 1000
  } s)`;
  return Effect.timeoutOrElse({
    duration: timeoutMs,
    orElse: () => Effect.fail(new RequestRefused(408, text)),
  });
}

/** Parameters of the URL and, in a POST, of the form in the body. */
export const readParams = (
  settings: Settings,
): Effect.Effect<
  URLSearchParams,
  RequestRefused | BadRequest,
  HttpServerRequest.HttpServerRequest
> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const params = yield* Effect.try({
      try: () => urlParams(request.url),
      catch: (error) => error as BadRequest,
    });
    if (request.method !== "POST") return params;
    const type = request.headers["content-type"] ?? "";
    if (!type.startsWith("application/x-www-form-urlencoded")) return params;
    const body = yield* readBody(formBytesMax, settings.server.http_server_read_timeout);
    for (const [name, value] of new URLSearchParams(new TextDecoder().decode(body))) {
      params.append(name, value);
    }
    return params;
  });

/** A query may have 128 KiB, percent-encoded thrice that. */
const formBytesMax = 1024 * 1024;

function bodyFailure(error: HttpServerError.HttpServerError, bytesMax: number): RequestRefused {
  const { reason } = error;
  if (reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge") {
    return tooLarge(undefined, bytesMax);
  }
  return new RequestRefused(400, `the body could not be read: ${error.message}`);
}

function tooLarge(bytes: number | undefined, bytesMax: number): RequestRefused {
  const size = bytes === undefined ? "more bytes than that" : `${bytes} bytes`;
  return new RequestRefused(
    413,
    `request body too large: the limit is ${bytesMax} bytes, the body has ${size}`,
  );
}
