/** `limits_config` for entries that have been through their pipeline, whatever source they are of: lines in a second,
 *  streams, the length of a line. What is too much is dropped or cut, and counted. tailing/lineLimits.ts bounds lines
 *  while they are read. */
import type { CollectorMetrics } from "./collectorMetrics.ts";
import type { LimitsConfig } from "./config/collectorConfig.ts";
import { TokenBucket } from "./TokenBucket.ts";
import type { StageEntry } from "./stages/entry.ts";

/** A stream without lines for so long is active no more. */
const activeMs = 5 * 60_000;

export class EntryLimits {
  readonly #config: LimitsConfig;
  readonly #metrics: CollectorMetrics;
  readonly #nowMs: () => number;
  readonly #rate: TokenBucket | undefined;
  /** When each active stream had its last line; the one that had it first is first. */
  readonly #streams = new Map<string, number>();
  #dueMs = 0;

  constructor(config: LimitsConfig, metrics: CollectorMetrics, nowMs: () => number) {
    this.#config = config;
    this.#metrics = metrics;
    this.#nowMs = nowMs;
    const { readline_rate_enabled, readline_rate, readline_burst } = config;
    if (readline_rate_enabled) this.#rate = new TokenBucket(readline_rate, readline_burst, nowMs());
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** How long sources should wait before they read on, ms: more has been read than readline_rate allows. */
  get waitMs(): number {
    return Math.max(0, this.#dueMs - this.#nowMs());
  }

  /** Whether the entry goes on; cuts its line if that is too long. */
  readonly admit = (entry: StageEntry): boolean => {
    const { max_streams, max_line_size } = this.#config;
    if (max_line_size > 0 && !this.#fits(entry)) return false;
    if (max_streams > 0 && !this.#isActive(entry, max_streams)) {
      return this.#drop(entry, "stream_limit");
    }
    return this.#rate === undefined || this.#takes(entry, this.#rate);
  };

  #fits(entry: StageEntry): boolean {
    const { max_line_size: bytesMax, max_line_size_truncate: truncates } = this.#config;
    if (entry.byteLength <= bytesMax) return true;
    if (!truncates) return this.#drop(entry, "line_too_long");
    // Not within a character.
    let end = entry.start + bytesMax;
    while (end > entry.start && (entry.bytes[end]! & 0xc0) === 0x80) end--;
    entry.cut(entry.start, end);
    const metrics = this.#metrics;
    metrics.series(metrics.mutatedEntries, { reason: "line_too_long" }).value++;
    return true;
  }

  #isActive({ labels }: StageEntry, streamsMax: number): boolean {
    const key = labels.tenant === null ? labels.text : `${labels.tenant}\n${labels.text}`;
    const now = this.#nowMs();
    if (!this.#streams.delete(key) && this.#streams.size >= streamsMax) {
      const [oldest, sinceMs] = this.#streams.entries().next().value!;
      if (now - sinceMs < activeMs) return false;
      this.#streams.delete(oldest);
    }
    this.#streams.set(key, now);
    return true;
  }

  #takes(entry: StageEntry, bucket: TokenBucket): boolean {
    const now = this.#nowMs();
    if (!this.#config.readline_rate_drop) {
      this.#dueMs = bucket.take(now);
      return true;
    }
    return bucket.tryTake(now) || this.#drop(entry, "rate_limited");
  }

  #drop(entry: StageEntry, reason: string): false {
    const metrics = this.#metrics;
    metrics.series(metrics.droppedEntries, { reason }).value++;
    metrics.series(metrics.droppedBytes, { reason }).value += entry.byteLength;
    return false;
  }
}
