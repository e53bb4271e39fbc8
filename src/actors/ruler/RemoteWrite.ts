/** Sends recorded samples to a receiver of Prometheus' remote write. Owns which series have ended: one that an evaluation no
 *  longer gives gets a stale marker, as Prometheus does. writeRequest.ts owns the bytes. */
import { Context, Effect, Layer, Metric } from "effect";
import type { Settings } from "../../platform/config/mod.ts";
import { errorText } from "../../platform/files.ts";
import { HttpSender } from "../../platform/httpPush.ts";
import {
  samplesDropped,
  samplesFailed,
  samplesQueued,
  samplesWritten,
} from "../../platform/metrics.ts";
import { formatLabels, type Labels, labelsFromObject } from "../../streams/labels.ts";
import { BoundedSender, type SendResult } from "./BoundedSender.ts";
import type { GroupEvaluation, RecordedSample } from "./evaluateGroup.ts";
import { authorization, labelPairs, tlsOf } from "./requestHeaders.ts";
import { staleMarker, writeRequest, type WriteSample } from "./writeRequest.ts";

/** Why recording rules cannot work without a receiver. */
export const noReceiver = "there is nowhere to record to: set ruler.remote_write.url to where " +
  "Prometheus (or Mimir, VictoriaMetrics) takes remote write";

/** The series that a group's rules gave the last time, by rule; for one group's evaluations. */
export type SeriesOfGroup = Array<ReadonlyMap<string, Labels>>;

export class RemoteWrite extends Context.Service<RemoteWrite, {
  readonly isConfigured: boolean;
  /** Queues what an evaluation recorded. `series` is changed. */
  readonly write: (
    tenant: string,
    evaluation: GroupEvaluation,
    atMs: number,
    series: SeriesOfGroup,
  ) => Effect.Effect<void>;
}>()("tailrace/actors/RemoteWrite") {
  static readonly layer = (settings: Settings) =>
    Layer.effect(RemoteWrite, makeRemoteWrite(settings));
}

interface Queued {
  readonly tenant: string;
  readonly sample: WriteSample;
}

/** Samples of one request. */
const batchMax = 2000;

const makeRemoteWrite = Effect.fnUntraced(function* (settings: Settings) {
  const { remote_write: options, external_labels } = settings.ruler;
  if (options.url === "") {
    return RemoteWrite.of({ isConfigured: false, write: () => Effect.void });
  }
  const http = yield* Effect.acquireRelease(
    Effect.try({
      try: () => new HttpSender(options.url, tlsOf(options.client), 1),
      catch: (error) => new Error(`ruler.remote_write.url "${options.url}": ${errorText(error)}`),
    }),
    (sender) => Effect.sync(() => sender.close()),
  );
  const stopping = new AbortController();
  yield* Effect.addFinalizer(() => Effect.sync(() => stopping.abort()));
  const sender = new BoundedSender<Queued>({
    name: "remote write",
    capacity: options.queue_capacity,
    batchOf: sameTenant,
    attemptsMax: Infinity,
    send: (batch) => post(http, options, batch, stopping.signal),
    onDropped: (count) => Metric.update(samplesDropped, count),
    onFailed: (count) => Metric.update(samplesFailed, count),
    onSent: (count) => Metric.update(samplesWritten, count),
    onLength: (length) => Metric.update(samplesQueued, length),
  });
  yield* Effect.forkScoped(sender.run);
  const externalLabels = labelPairs(external_labels);
  return RemoteWrite.of({
    isConfigured: true,
    write: (tenant, { recorded }, atMs, series) => {
      const samples = recorded.flatMap((ofRule, index) =>
        ofRule === null ? [] : samplesOf(ofRule, externalLabels, atMs, series, index)
      );
      return samples.length === 0
        ? Effect.void
        : sender.add(samples.map((sample) => ({ tenant, sample })));
    },
  });
});

/** A rule's samples, and the ends of series that it no longer gives. */
export function samplesOf(
  recorded: ReadonlyArray<RecordedSample>,
  externalLabels: Readonly<Record<string, string>>,
  atMs: number,
  series: SeriesOfGroup,
  rule: number,
): ReadonlyArray<WriteSample> {
  const now = new Map<string, Labels>();
  const samples: WriteSample[] = recorded.map(({ labels, value }) => {
    const all = labelsFromObject({ ...externalLabels, ...Object.fromEntries(labels) });
    now.set(formatLabels(all), all);
    return { labels: all, value, atMs };
  });
  for (const [key, labels] of series[rule] ?? []) {
    if (!now.has(key)) samples.push({ labels, value: staleMarker, atMs });
  }
  series[rule] = now;
  return samples;
}

function sameTenant(items: ReadonlyArray<Queued>): number {
  const most = Math.min(items.length, batchMax);
  for (let at = 1; at < most; at++) if (items[at]!.tenant !== items[0]!.tenant) return at;
  return most;
}

async function post(
  http: HttpSender,
  options: Settings["ruler"]["remote_write"],
  batch: ReadonlyArray<Queued>,
  signal: AbortSignal,
): Promise<SendResult> {
  try {
    const headers = {
      "content-type": "application/x-protobuf",
      "content-encoding": "snappy",
      "x-prometheus-remote-write-version": "0.1.0",
      "user-agent": "tailrace",
      ...(options.add_org_id_header ? { "x-scope-orgid": batch[0]!.tenant } : {}),
      ...authorization(options.client),
    };
    const body = writeRequest(batch.map(({ sample }) => sample));
    const { status, text, retryAfter } = await http.post(headers, body, options.timeout, signal);
    if (status >= 200 && status < 300) return { kind: "sent" };
    const why = `status ${status}: ${text.trim().slice(0, 300)}`;
    if (status < 500 && status !== 429 && status !== 408) return { kind: "refused", why };
    const afterMs = Number(retryAfter) * 1000;
    return afterMs > 0
      ? { kind: "again", why, afterMs: Math.min(afterMs, 60_000) }
      : { kind: "again", why };
  } catch (error) {
    return { kind: "again", why: errorText(error) };
  }
}
