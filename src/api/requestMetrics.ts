/** Measures every request: time and outcome by method, route pattern and status. A tail counts when it ends.
 *  Invariant: labels are methods of RFC 9110, patterns of routes and status codes, never what a client made up. */
import { Context, Effect, type Exit, Metric } from "effect";
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http";
import { requestSeconds } from "../platform/metrics.ts";

/** Installs the measurement around all routes of `router`. */
export const measureRequests = (router: HttpRouter.HttpRouter) =>
  router.addGlobalMiddleware((handler) =>
    Effect.suspend(() => {
      const startMs = performance.now();
      return Effect.onExit(handler, (exit) => record(exit, startMs));
    })
  );

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

const record = (
  exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>,
  startMs: number,
) =>
  Effect.withFiber<void>((fiber) => {
    const request = Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest);
    // The router leaves the route that it found in the fiber's context.
    const route = Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.path;
    const method = request?.method ?? "";
    const attributes = {
      method: methods.has(method) ? method : "other",
      route: route ?? "none",
      status_code: String(statusOf(exit, route !== undefined)),
    };
    const seconds = (performance.now() - startMs) / 1000;
    Metric.withAttributes(requestSeconds, attributes).updateUnsafe(seconds, fiber.context);
    return Effect.void;
  });

/** 499 is what proxies write for a client that went away before the answer. */
function statusOf(
  exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>,
  found: boolean,
): number {
  if (exit._tag === "Success") return exit.value.status;
  if (!found) return 404;
  return exit.cause.reasons.some(({ _tag }) => _tag === "Interrupt") ? 499 : 500;
}
