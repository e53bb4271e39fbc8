/** Serves the built page from ui/dist: hashed assets for ever, index.html never cached, and a policy under which text from logs
 *  cannot run as script. */
import { Effect } from "effect";
import {
  HttpMiddleware,
  HttpRouter,
  HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse,
  HttpStaticServer,
} from "effect/http";
import type { Settings } from "../platform/config/mod.ts";
import { pageDirectory } from "../platform/paths.ts";
import { respondError } from "./respond.ts";

/** Everything from this server and nothing inline: what a log line smuggles into the page has no way to run or to call home. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'self'",
  "form-action 'self'",
].join("; ");

export const pageRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    if (!settings.ui.enabled) return;
    const directory = pageDirectory();
    if (directory === undefined) {
      yield* router.add(
        "GET",
        "/",
        respondError(404, "the page is not built: run `node scripts/prepare.mjs` and start again"),
      );
      return;
    }
    const files = yield* HttpStaticServer.make({ root: directory });
    const handler = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest;
      const response = yield* files.pipe(Effect.catch(HttpServerRespondable.toResponse));
      if (response.status === 404) return respondError(404, "404 page not found");
      return HttpServerResponse.setHeaders(response, {
        "cache-control": request.url.startsWith("/assets/")
          ? "public, max-age=31536000, immutable"
          : "no-cache",
        "content-security-policy": contentSecurityPolicy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      });
    }).pipe(HttpMiddleware.compression({ algorithms: ["gzip"] }));
    yield* router.add("GET", "/*", handler);
  }));
