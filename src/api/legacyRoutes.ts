/** The read routes of Loki's first versions whose answers differ from the present ones: `/api/prom/query` (log
 *  queries only, labels as text, times as RFC 3339) and `/api/prom/label`. Other old spellings are served
 *  where their present ones are. */
import { Effect } from "effect";
import { HttpRouter } from "effect/http";
import { Querier } from "../actors/querier/Querier.ts";
import type { Settings } from "../platform/config/mod.ts";
import { formatLabels, labelsFromObject } from "../streams/labels.ts";
import { attempt } from "./apiCall.ts";
import { encodeStreams } from "./encodeRows.ts";
import { logCallOf, streamQuery } from "./queryRoutes.ts";
import { addReadRoute } from "./readRoute.ts";

interface EncodedStream {
  readonly stream: Readonly<Record<string, string>>;
  readonly values: ReadonlyArray<readonly [timestamp: string, line: string]>;
}

export const legacyRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    yield* addReadRoute(router, settings, "/api/prom/query", (call) =>
      Effect.gen(function* () {
        const { request } = yield* attempt(() => logCallOf(settings, call));
        const { rows } = yield* querier.selectLogs(request);
        return yield* attempt(() => {
          const streams = JSON.parse(encodeStreams(rows, false)) as ReadonlyArray<EncodedStream>;
          return JSON.stringify({ streams: streams.map(legacyStream) });
        });
      }));
    const label = "/api/prom/label";
    yield* addReadRoute(
      router,
      settings,
      label,
      (call) =>
        attempt(() => streamQuery(settings, call)).pipe(
          Effect.flatMap((query) => querier.labelNames({ tenant: call.tenant, ...query })),
          Effect.map((values) => JSON.stringify({ values })),
        ),
    );
    yield* addReadRoute(
      router,
      settings,
      `${label}/:name/values`,
      (call) =>
        attempt(() => ({ ...streamQuery(settings, call), name: call.path["name"] ?? "" })).pipe(
          Effect.flatMap((query) => querier.labelValues({ tenant: call.tenant, ...query })),
          Effect.map((values) => JSON.stringify({ values })),
        ),
    );
  }));

function legacyStream({ stream, values }: EncodedStream) {
  return {
    labels: formatLabels(labelsFromObject(stream)),
    entries: values.map(([timestamp, line]) => ({ ts: rfc3339(BigInt(timestamp)), line })),
  };
}

/** With as many digits of the second as it has. */
function rfc3339(timeNs: bigint): string {
  const nanosecond = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = Number((timeNs - nanosecond) / 1_000_000_000n);
  const digits = String(nanosecond).padStart(9, "0").replace(/0+$/, "");
  const whole = new Date(seconds * 1000).toISOString().replace(/\.000Z$/, "");
  return `${whole}${digits === "" ? "" : `.${digits}`}Z`;
}
