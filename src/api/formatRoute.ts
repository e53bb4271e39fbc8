/** `format_query`: a query laid out by the printer. Loki's errors of this route are JSON. */
import { Effect, Result } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { parse, prettyPrint } from "../logql/mod.ts";
import type { Settings } from "../platform/config/mod.ts";
import { addResponseRoute } from "./readRoute.ts";
import { respondJson } from "./respond.ts";

export const formatRoute = (settings: Settings) =>
  HttpRouter.use((router) =>
    addResponseRoute(router, settings, "/loki/api/v1/format_query", ({ params }) => {
      const query = params.get("query") ?? "";
      const parsed = parse(query);
      if (Result.isSuccess(parsed)) {
        return respondJson(
          JSON.stringify({ status: "success", data: prettyPrint(parsed.success) }),
        );
      }
      const text = JSON.stringify({ status: "invalid-query", error: parsed.failure.message });
      return Effect.succeed(
        HttpServerResponse.text(text, {
          status: 400,
          contentType: "application/json; charset=UTF-8",
        }),
      );
    })
  );
