/** What the distributor knows of a tenant's streams, so that a push costs one map look-up a stream: the label text as agents send
 *  it leads to the canonical labels, the partition and the stream's rate. Bounded: streams that are idle are forgotten, and the
 *  label texts are forgotten all at once when there are too many of them. */
import { levelKeys } from "../../kernels/level.ts";
import type { Limits } from "../../platform/config/mod.ts";
import { formatLabels, type Labels, LabelsParseError, parseLabels } from "../../streams/labels.ts";
import { partitionOf } from "../policy/partitioning.ts";
import { RateLimiter } from "./rateLimiter.ts";
import { type RejectReason, texts } from "./rejection.ts";

export interface KnownStream {
  /** Canonical label string. */
  readonly labels: string;
  readonly partition: number;
  /** The stream label that decides detected_level, if it has one. */
  readonly levelText: string | undefined;
  readonly rate: RateLimiter;
  lastPushMs: number;
}

/** Why no line of a stream is taken. */
export interface StreamRejection {
  readonly reason: RejectReason;
  readonly message: string;
}

/** First present one names the service, in Loki's order. */
export const serviceLabels = [
  "service",
  "app",
  "application",
  "app_name",
  "name",
  "app_kubernetes_io_name",
  "container",
  "container_name",
  "k8s_container_name",
  "component",
  "workload",
  "job",
  "k8s_job_name",
];

const textsMax = 500_000;
/** Longer label texts are parsed each time: remembering them would let one client fill the memory. */
const textLengthMax = 16 * 1024;

export class TenantStreams {
  readonly #tenant: string;
  readonly #partitionCount: number;
  readonly #idleMs: number;
  /** Label text as sent, or the rejection it earned. */
  #byText = new Map<string, KnownStream | StreamRejection>();
  readonly #byLabels = new Map<string, KnownStream>();
  /** The limits that the entries of #byText were checked against. */
  #limits: Limits | undefined;

  constructor(tenant: string, partitionCount: number, idleMs: number) {
    this.#tenant = tenant;
    this.#partitionCount = partitionCount;
    this.#idleMs = idleMs;
  }

  get count(): number {
    return this.#byLabels.size;
  }

  /** The stream that `text`, a label string as sent, names. A stream limit is not remembered: it may have room the next time. */
  resolve(text: string, limits: Limits, nowMs: number): KnownStream | StreamRejection {
    if (this.#limits !== limits || this.#byText.size >= textsMax) this.#byText = new Map();
    this.#limits = limits;
    const known = this.#byText.get(text);
    if (known !== undefined) {
      if ("partition" in known) known.lastPushMs = nowMs;
      return known;
    }
    const resolved = this.#add(text, limits, nowMs);
    const lasting = !("reason" in resolved) || resolved.reason !== "stream_limit";
    if (lasting && text.length <= textLengthMax) this.#byText.set(text, resolved);
    return resolved;
  }

  #add(text: string, limits: Limits, nowMs: number): KnownStream | StreamRejection {
    let sent: Labels;
    try {
      sent = parseLabels(text);
    } catch (error) {
      if (!(error instanceof LabelsParseError)) throw error;
      return {
        reason: "invalid_labels",
        message: texts.invalidLabels(text.slice(0, 200), error.message),
      };
    }
    const rejection = checkLabels(sent, limits);
    if (rejection !== undefined) return rejection;
    const all = limits.discover_service_name ? withServiceName(sent) : sent;
    const labels = formatLabels(all);
    const existing = this.#byLabels.get(labels);
    if (existing !== undefined) {
      existing.lastPushMs = nowMs;
      return existing;
    }
    const most = limits.max_global_streams_per_user;
    if (most > 0 && this.#byLabels.size >= most) {
      this.#forgetIdle(nowMs);
      if (this.#byLabels.size >= most) {
        return { reason: "stream_limit", message: texts.streamLimit(this.#tenant, labels, most) };
      }
    }
    const stream: KnownStream = {
      labels,
      partition: partitionOf(this.#tenant, labels, this.#partitionCount),
      levelText: levelOf(all),
      rate: new RateLimiter(limits.per_stream_rate_limit_burst, nowMs),
      lastPushMs: nowMs,
    };
    this.#byLabels.set(labels, stream);
    return stream;
  }

  #forgetIdle(nowMs: number): void {
    for (const [labels, stream] of this.#byLabels) {
      if (nowMs - stream.lastPushMs >= this.#idleMs) this.#byLabels.delete(labels);
    }
    this.#byText = new Map();
  }
}

function checkLabels(labels: Labels, limits: Limits): StreamRejection | undefined {
  if (labels.length === 0 && !limits.discover_service_name) {
    return { reason: "missing_labels", message: texts.missingLabels };
  }
  const counted = labels.filter(([name]) => name !== "service_name").length;
  if (counted > limits.max_label_names_per_series) {
    return {
      reason: "max_label_names_per_series",
      message: texts.labelNames(
        formatLabels(labels).slice(0, 1000),
        counted,
        limits.max_label_names_per_series,
      ),
    };
  }
  for (const [name, value] of labels) {
    if (name.length > limits.max_label_name_length) {
      const message = texts.labelNameTooLong(
        formatLabels(labels).slice(0, 500),
        name.slice(0, 500),
      );
      return { reason: "label_name_too_long", message };
    }
    if (value.length > limits.max_label_value_length) {
      const message = texts.labelValueTooLong(
        formatLabels(labels).slice(0, 500),
        value.slice(0, 500),
      );
      return { reason: "label_value_too_long", message };
    }
  }
  return undefined;
}

function withServiceName(labels: Labels): Labels {
  const byName = new Map(labels);
  if (byName.has("service_name")) return labels;
  const named = serviceLabels.find((name) => byName.has(name));
  const value = named === undefined ? "unknown_service" : byName.get(named)!;
  const all = [...labels, ["service_name", value] as const];
  return all.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

function levelOf(labels: Labels): string | undefined {
  const byName = new Map(labels);
  const name = ["detected_level", ...levelKeys].find((name) => byName.has(name));
  return name === undefined ? undefined : byName.get(name);
}
