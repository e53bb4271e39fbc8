/** Makes a route of the read API of a handler: GET and POST, parameters from URL and form, the tenant,
 *  JSON out, errors as text. */
import { Effect, type Scope } from "effect";
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http";
import type { Settings } from "../platform/config/mod.ts";
import { type ApiCall, attempt, type Handler } from "./apiCall.ts";
import { readParams, readTenantOf } from "./request.ts";
import { respondFailure, respondJson } from "./respond.ts";

/** A handler that answers with whatever response it likes. */
export type ResponseHandler = (
  call: ApiCall,
) => Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>;

/** Serves `path` with JSON. */
export const addReadRoute = (
  router: HttpRouter.HttpRouter,
  settings: Settings,
  path: HttpRouter.PathInput,
  handler: Handler,
) =>
  addResponseRoute(
    router,
    settings,
    path,
    (call) => Effect.flatMap(Effect.scoped(handler(call)), respondJson),
  );

/** Serves `path` with what the handler makes. */
export const addResponseRoute = Effect.fnUntraced(function* (
  router: HttpRouter.HttpRouter,
  settings: Settings,
  path: HttpRouter.PathInput,
  handler: ResponseHandler,
) {
  for (const method of ["GET", "POST"] as const) {
    yield* router.add(method, path, handle(settings, handler));
  }
});

const handle = (settings: Settings, handler: ResponseHandler) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const path = yield* HttpRouter.params;
    const params = yield* readParams(settings);
    const tenant = yield* attempt(() => readTenantOf(settings, request.headers));
    return yield* handler({ tenant, params, headers: request.headers, path });
  }).pipe(
    Effect.catch((error): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
      Effect.succeed(respondFailure(error))
    ),
  );
