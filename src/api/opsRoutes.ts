/** Routes for operators and probes: ready, metrics, build information, flush, effective
 *  configuration, the actors' state. */
import { Effect, Metric } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { PrometheusMetrics } from "effect/observability";
import { Ingester } from "../actors/ingester/Ingester.ts";
import { ActorSystem, metricsText } from "../actors/runtime/mod.ts";
import { defaultSettings, printSettings, type Settings } from "../platform/config/mod.ts";
import {
  flushFailures,
  queryBytesScanned,
  segmentBytesFlushed,
  segmentsFlushed,
  tailClients,
  tailLinesDropped,
  unflushedBytes,
  unflushedRecords,
  unflushedStreams,
} from "../platform/metrics.ts";
import { processMetricsText } from "../platform/processMetrics.ts";
import { version } from "../platform/version.ts";
import { measureRequests } from "./requestMetrics.ts";
import { respondError, respondJson } from "./respond.ts";

/** A partition that has not replayed its log by then makes `ready` answer 503. */
const readyWaitMs = 50;

export const opsRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const ingester = yield* Ingester;
    const system = yield* ActorSystem;

    yield* measureRequests(router);
    yield* showZeros;

    const ready = ingester.ready.pipe(
      Effect.timeoutOrElse({
        duration: readyWaitMs,
        orElse: () => Effect.fail(new Error("partitions are replaying the write log")),
      }),
      Effect.match({
        onSuccess: () => HttpServerResponse.text("ready\n"),
        onFailure: (error) => respondError(503, `not ready: ${error.message}`),
      }),
    );
    const flush = ingester.flush.pipe(Effect.match({
      onSuccess: () => HttpServerResponse.empty({ status: 204 }),
      onFailure: (error) => respondError(503, `flush failed: ${error.message}`),
    }));
    const metrics = Effect.andThen(sample(ingester), PrometheusMetrics.format()).pipe(
      Effect.map((text) =>
        HttpServerResponse.text(withActorsAndProcess(text, system), {
          contentType: "text/plain; version=0.0.4; charset=utf-8",
        })
      ),
    );
    const buildInfo = JSON.stringify({
      version,
      revision: "",
      branch: "",
      buildUser: "",
      buildDate: "",
      goVersion: "",
    });

    yield* router.add("GET", "/ready", ready);
    yield* router.add("GET", "/metrics", metrics);
    yield* router.add("GET", "/flush", flush);
    yield* router.add("POST", "/flush", flush);
    yield* router.add("GET", "/loki/api/v1/status/buildinfo", respondJson(buildInfo));
    yield* router.add("GET", "/config", configRoute(settings));
    yield* router.add("GET", "/services", HttpServerResponse.text(servicesText(settings)));
  }));

/** A counter is shown from its first update on; rules that watch for failures need it before. */
const showZeros = Effect.all([
  ...[segmentsFlushed, segmentBytesFlushed, flushFailures, queryBytesScanned, tailLinesDropped]
    .map((counter) => Metric.update(counter, 0)),
  Metric.modify(tailClients, 0),
], { discard: true });

/** Brings the gauges of partitions up to date. A partition that is restarting keeps its last values. */
const sample = (ingester: Ingester["Service"]) =>
  Effect.forEach(ingester.owned(), ([partition, actor]) => {
    const { from, next, unflushedBytes: bytes, streams } = actor.observe() ?? {};
    const attributes = { partition: String(partition) };
    const set = (gauge: Metric.Gauge<number>, value: unknown) =>
      typeof value === "number"
        ? Metric.update(Metric.withAttributes(gauge, attributes), value)
        : Effect.void;
    return Effect.all([
      set(unflushedBytes, bytes),
      set(unflushedStreams, streams),
      set(unflushedRecords, Number(next) - Number(from)),
    ], { discard: true });
  }, { discard: true });

function withActorsAndProcess(text: string, system: ActorSystem["Service"]): string {
  return `${text}\n${metricsText(system.metrics())}${processMetricsText()}`;
}

/** What runs in this process, in Loki's format. */
function servicesText({ target }: Settings): string {
  return services[target].map((role) => `${role} => Running\n`).join("");
}

const services: Record<Settings["target"], readonly string[]> = {
  all: ["distributor", "ingester", "querier", "tailer", "ruler", "compactor"],
  distributor: ["distributor"],
  ingester: ["ingester"],
  // Whoever answers queries answers live tails.
  querier: ["querier", "tailer"],
  ui: ["ui", "tailer"],
  ruler: ["ruler"],
  compactor: ["compactor"],
};

/** The effective settings; with mode=defaults those of a new installation, with mode=diff what differs from them. */
const configRoute = (settings: Settings) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
    const mode = new URL(url, "http://localhost").searchParams.get("mode");
    const shown = mode === "defaults" ? defaultSettings : settings;
    const options = mode === "diff" ? { differingFrom: defaultSettings } : {};
    return HttpServerResponse.text(
      printSettings({ settings: shown, origins: new Map() }, options),
      {
        contentType: "text/plain; charset=utf-8",
      },
    );
  });
