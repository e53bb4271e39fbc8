/** `/api/prom/query`, the read route of Loki's first versions: log queries only, labels as text, times as
 *  RFC 3339. Its other old spellings are served where their present ones are. */
import { Effect } from "effect";
import { HttpRouter } from "effect/http";
import { Querier } from "../actors/querier/Querier.ts";
import type { Settings } from "../platform/config/mod.ts";
import { formatLabels, labelsFromObject } from "../streams/labels.ts";
import { attempt } from "./apiCall.ts";
import { encodeStreams } from "./encodeRows.ts";
import { logCallOf } from "./queryRoutes.ts";
import { addReadRoute } from "./readRoute.ts";

interface EncodedStream {
  readonly stream: Readonly<Record<string, string>>;
  readonly values: ReadonlyArray<readonly [timestamp: string, line: string]>;
}

export const legacyRoute = (settings: Settings) =>
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
