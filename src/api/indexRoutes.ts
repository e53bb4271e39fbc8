/** How much there is, by Loki's routes index/stats, index/volume and index/volume_range. Counts are
 *  exact: lines in the range, each once, unflushed ones included. */
import { Effect } from "effect";
import { HttpRouter } from "effect/http";
import { Querier } from "../actors/querier/Querier.ts";
import type { StreamVolume } from "../actors/querier/runMeasure.ts";
import { limitsFor, type Settings } from "../platform/config/mod.ts";
import { makeMatcher, type Matcher } from "../streams/matcher.ts";
import type { TimeRange } from "../streams/record.ts";
import { isLabelName } from "../streams/labels.ts";
import { type ApiCall, attempt, type Handler } from "./apiCall.ts";
import { stepOf, stepsMax } from "./metricQuery.ts";
import { BadRequest, parseCount, parseRequired } from "./params.ts";
import { streamQuery } from "./queryRoutes.ts";
import { RequestRefused } from "./request.ts";
import { addReadRoute } from "./readRoute.ts";
import { groupVolumes, type VolumeGroup, volumeNames, type VolumeQuestion } from "./volume.ts";

const limitDefault = 100;
/** Groups of one answer. */
const limitMax = 100_000;
/** Buckets of all groups of one answer. */
const samplesMax = 2_000_000;

export const indexRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const querier = yield* Querier;
    const base = "/loki/api/v1/index";
    yield* addReadRoute(router, settings, `${base}/stats`, stats(settings, querier));
    yield* addReadRoute(router, settings, `${base}/volume`, volume(settings, querier));
    yield* addReadRoute(router, settings, `${base}/volume_range`, volumeRange(settings, querier));
  }));

const stats = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const { matchers, range } = yield* attempt(() => {
      parseRequired(call.params, "query");
      return streamQuery(settings, call);
    });
    const volumes = yield* volumesOf(querier, call.tenant, matchers, range, null);
    let [chunks, bytes, entries] = [0, 0, 0];
    for (const { chunks: ofStream, buckets } of volumes) {
      chunks += ofStream;
      for (const count of buckets.values()) {
        bytes += count.bytes;
        entries += count.entries;
      }
    }
    return JSON.stringify({ streams: volumes.length, chunks, bytes, entries });
  });

const volume = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const { matchers, range, question } = yield* attempt(() => volumeCall(settings, call));
    const volumes = yield* volumesOf(querier, call.tenant, matchers, range, null);
    const time = secondsOf(range.end);
    const result = groupVolumes(volumes, question).map(({ metric, total }) => ({
      metric,
      value: [time, String(total)],
    }));
    return envelope("vector", result);
  });

const volumeRange = (settings: Settings, querier: Querier["Service"]): Handler => (call) =>
  Effect.gen(function* () {
    const { matchers, range, question, stepNs } = yield* attempt(() => ({
      ...volumeCall(settings, call),
      stepNs: volumeStep(settings, call),
    }));
    const volumes = yield* volumesOf(querier, call.tenant, matchers, range, stepNs);
    const groups = groupVolumes(volumes, question);
    return yield* attempt(() => {
      checkSamples(groups);
      const result = groups.map(({ metric, buckets }) => ({
        metric,
        // A sample stands at the end of its bucket, which for the last is the end of the range.
        values: buckets.map(([bucket, bytes]) => {
          const end = range.start + BigInt(bucket + 1) * stepNs;
          return [secondsOf(end < range.end ? end : range.end), String(bytes)];
        }),
      }));
      return envelope("matrix", result);
    });
  });

function checkSamples(groups: ReadonlyArray<VolumeGroup>): void {
  const samples = groups.reduce((sum, { buckets }) => sum + buckets.length, 0);
  if (samples <= samplesMax) return;
  throw new BadRequest(
    `the answer would have ${samples} samples, the limit is ${samplesMax}: raise step or lower limit`,
  );
}

/** One bucket is the whole range. */
const volumesOf = (
  querier: Querier["Service"],
  tenant: string,
  matchers: ReadonlyArray<Matcher>,
  range: TimeRange,
  stepNs: bigint | null,
): Effect.Effect<ReadonlyArray<StreamVolume>, unknown> =>
  querier.volumes({
    tenant,
    matchers,
    range,
    stepNs: stepNs ?? (range.end > range.start ? range.end - range.start : 1n),
  });

interface VolumeCall {
  readonly matchers: ReadonlyArray<Matcher>;
  readonly range: TimeRange;
  readonly question: VolumeQuestion;
}

function volumeCall(settings: Settings, call: ApiCall): VolumeCall {
  const { params } = call;
  if (!limitsFor(settings, call.tenant).volume_enabled) {
    throw new RequestRefused(404, "volumes are switched off by limits_config.volume_enabled");
  }
  parseRequired(params, "query");
  const { matchers, range } = streamQuery(settings, call);
  const targets = params.getAll("targetLabels").flatMap((list) => list.split(","))
    .map((name) => name.trim()).filter((name) => name !== "");
  const bad = targets.find((name) => !isLabelName(name));
  if (bad !== undefined) {
    throw new BadRequest(`targetLabels has "${bad}", which cannot be the name of a label`);
  }
  const aggregateBy = params.get("aggregateBy") || "series";
  if (aggregateBy !== "series" && aggregateBy !== "labels") {
    throw new BadRequest(`invalid aggregateBy "${aggregateBy}": want series or labels`);
  }
  const matched = new Set(matchers.map(({ name }) => name));
  // Streams without a label that is asked for do not count, as in Loki.
  const present = targets.filter((name) => !matched.has(name))
    .map((name) => makeMatcher(name, "!=", ""));
  return {
    matchers: [...matchers, ...present],
    range,
    question: {
      names: volumeNames(targets, matchers),
      aggregateBy,
      limit: parseCount(params, "limit", limitDefault, limitMax),
    },
  };
}

function volumeStep(settings: Settings, call: ApiCall): bigint {
  const { range } = streamQuery(settings, call);
  const step = stepOf(call.params, range.end - range.start);
  const steps = (range.end - range.start) / step;
  if (steps <= stepsMax) return step;
  throw new BadRequest(
    "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the " +
      `step parameter: it asks for ${steps} steps of ${Number(step) / 1e9} s`,
  );
}

/** To the millisecond, as all of Loki's sample times. */
function secondsOf(timeNs: bigint): number {
  return Number(timeNs / 1_000_000n) / 1000;
}

function envelope(resultType: string, result: ReadonlyArray<unknown>): string {
  return JSON.stringify({ status: "success", data: { resultType, result } });
}
