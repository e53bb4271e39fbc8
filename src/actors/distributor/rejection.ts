/** Why lines are refused, in Loki's words: agents and dashboards look for them. Owns texts, status codes and the `reason` label
 *  of the discard counters; who checks is distributor and kernel. */

export type RejectReason =
  | "rate_limited"
  | "per_stream_rate_limit"
  | "stream_limit"
  | "line_too_long"
  | "greater_than_max_sample_age"
  | "too_far_in_future"
  | "max_label_names_per_series"
  | "label_name_too_long"
  | "label_value_too_long"
  | "invalid_labels"
  | "missing_labels"
  | "disallowed_structured_metadata"
  | "structured_metadata_too_large"
  | "structured_metadata_too_many";

/** Pushes that break a rate are retried, all others never succeed. */
export function statusOf(reason: RejectReason): 400 | 429 {
  return reason === "rate_limited" || reason === "per_stream_rate_limit" ||
      reason === "stream_limit"
    ? 429
    : 400;
}

const adviceLimit = (name: string) =>
  `Please see \`limits_config.${name}\` or contact your Tailrace administrator to increase it.`;

export const texts = {
  rateLimited: (tenant: string, rate: number, lines: number, bytes: number) =>
    `ingestion rate limit exceeded for user ${tenant} (limit: ${
      Math.floor(rate)
    } bytes/sec) while attempting to ` +
    `ingest '${lines}' lines totaling '${bytes}' bytes, reduce log volume or contact your Tailrace administrator to ` +
    "see if the limit can be increased",
  streamRateLimited: (labels: string, rate: number, bytes: number) =>
    `Per stream rate limit exceeded (limit: ${rate} bytes/sec) while attempting to ingest for stream '${labels}' ` +
    `totaling ${bytes} bytes, consider splitting a stream via additional labels or contact your Tailrace ` +
    "administrator to see if the limit can be increased",
  streamLimit: (tenant: string, labels: string, most: number) =>
    `maximum active stream limit exceeded when trying to create stream ${labels}, reduce the number of active streams ` +
    "(reduce labels or reduce label values), or contact your Tailrace administrator to see if the limit can be " +
    `increased, user: '${tenant}', limit: ${most}`,
  lineTooLong: (labels: string, bytes: bigint, most: number) =>
    `max entry size '${most}' bytes exceeded for stream '${labels}' while adding an entry with length '${bytes}' bytes`,
  tooOld: (labels: string, time: bigint, oldest: bigint) =>
    `entry for stream '${labels}' has timestamp too old: ${
      formatTime(time)
    }, oldest acceptable timestamp is: ` +
    formatTime(oldest),
  tooNew: (labels: string, time: bigint) =>
    `entry for stream '${labels}' has timestamp too new: ${formatTime(time)}`,
  metadataTooLarge: (labels: string, bytes: bigint, most: number) =>
    `stream '${labels}' has structured metadata too large: '${bytes}' bytes, limit: '${most}' bytes. ` +
    adviceLimit("max_structured_metadata_size"),
  metadataTooMany: (labels: string, count: bigint, most: number) =>
    `stream '${labels}' has too many structured metadata labels: '${count}', limit: '${most}'. ` +
    adviceLimit("max_structured_metadata_entries_count"),
  metadataDisallowed: (labels: string) =>
    `stream '${labels}' includes structured metadata, but this feature is disallowed. ` +
    adviceLimit("allow_structured_metadata"),
  labelNames: (labels: string, count: number, most: number) =>
    `entry for stream '${labels}' has ${count} label names; limit ${most}`,
  labelNameTooLong: (labels: string, name: string) =>
    `stream '${labels}' has label name too long: '${name}'`,
  labelValueTooLong: (labels: string, value: string) =>
    `stream '${labels}' has label value too long: '${value}'`,
  invalidLabels: (labels: string, why: string) => `error parsing labels '${labels}': ${why}`,
  missingLabels: "error at least one label pair is required per stream",
} as const;

/** RFC 3339 in UTC with nanoseconds. */
export function formatTime(ns: bigint): string {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const millis = Number((ns - fraction) / 1_000_000n);
  const date = new Date(millis);
  if (Number.isNaN(date.getTime())) return `${ns} ns`;
  const digits = fraction === 0n
    ? ""
    : `.${fraction.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${date.toISOString().slice(0, 19)}${digits}Z`;
}

/** Collects what was refused in one push: counts by reason, and the first messages. */
export class Rejections {
  readonly #messages: string[] = [];
  readonly #seen = new Set<string>();
  readonly counts = new Map<RejectReason, { lines: number; bytes: number }>();
  #lines = 0;

  add(reason: RejectReason, lines: number, bytes: number, message: () => string): void {
    this.#lines += lines;
    const count = this.counts.get(reason);
    if (count === undefined) this.counts.set(reason, { lines, bytes });
    else {
      count.lines += lines;
      count.bytes += bytes;
    }
    if (this.#messages.length >= messagesMax) return;
    const text = shortened(message());
    if (this.#seen.has(text)) return;
    this.#seen.add(text);
    this.#messages.push(text);
  }

  /** Adds bytes of lines that were counted by `add`. */
  addBytes(reason: RejectReason, bytes: number): void {
    const count = this.counts.get(reason);
    if (count !== undefined) count.bytes += bytes;
  }

  get any(): boolean {
    return this.counts.size > 0;
  }

  /** 429 if a retry can help any line: the agent sends the push again, and what is stored already is not stored twice. */
  get status(): 400 | 429 {
    for (const reason of this.counts.keys()) if (statusOf(reason) === 429) return 429;
    return 400;
  }

  message(linesTotal: number): string {
    const shown = this.#messages.join("\n");
    return this.#messages.length <= 1 && this.#lines === linesTotal
      ? shown
      : `${shown}\ntotal ignored: ${this.#lines} out of ${linesTotal}`;
  }
}

const messagesMax = 10;
const messageLengthMax = 2000;

function shortened(text: string): string {
  return text.length <= messageLengthMax ? text : `${text.slice(0, messageLengthMax)}...`;
}
