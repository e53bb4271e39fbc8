/** The collector's own counters, under Promtail's names where the meaning is the same, so that dashboards and
 *  alerts carry over; `tailrace_` is ours. Plain numbers, since lines are counted where no Effect may run;
 *  stages/stageMetrics.ts renders them. */
import { systemNowMs } from "../platform/clock.ts";
import { LabelSet } from "./stages/labelSet.ts";
import { MetricFamily, type MetricKind, type Series, StageMetrics } from "./stages/stageMetrics.ts";

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60];

export class CollectorMetrics {
  readonly registry = new StageMetrics();
  readonly readLines = this.#define("promtail_read_lines_total", "counter", "Lines read");
  readonly readBytes = this.#define("promtail_read_bytes_total", "gauge", "Bytes read");
  readonly fileBytes = this.#define("promtail_file_bytes_total", "gauge", "Bytes that files have");
  readonly activeFiles = this.#define("promtail_files_active_total", "gauge", "Files tailed");
  readonly activeTargets = this.#define("promtail_targets_active_total", "gauge", "Targets");
  readonly encodedBytes = this.#define(
    "promtail_encoded_bytes_total",
    "counter",
    "Compressed bytes that are ready to be sent",
  );
  readonly sentBytes = this.#define(
    "promtail_sent_bytes_total",
    "counter",
    "Compressed bytes sent",
  );
  readonly sentEntries = this.#define("promtail_sent_entries_total", "counter", "Lines sent");
  readonly droppedBytes = this.#define(
    "promtail_dropped_bytes_total",
    "counter",
    "Line bytes that no server has, by reason",
  );
  readonly droppedEntries = this.#define(
    "promtail_dropped_entries_total",
    "counter",
    "Lines that no server has, by reason",
  );
  readonly mutatedEntries = this.#define(
    "promtail_mutated_entries_total",
    "counter",
    "Lines that were cut or split, by reason",
  );
  readonly batchRetries = this.#define(
    "promtail_batch_retries_total",
    "counter",
    "Requests sent again",
  );
  readonly requestSeconds = this.#define(
    "promtail_request_duration_seconds",
    "histogram",
    "Time from request to answer, by status code",
    secondsBuckets,
  );
  readonly bufferBytes = this.#define(
    "tailrace_collector_buffer_bytes",
    "gauge",
    "Bytes of the disk buffer that some client has not delivered, about",
  );
  readonly bufferBytesMax = this.#define(
    "tailrace_collector_buffer_bytes_max",
    "gauge",
    "What the disk buffer may hold; beyond it reading pauses",
  );
  readonly bufferFullSeconds = this.#define(
    "tailrace_collector_buffer_full_seconds_total",
    "counter",
    "Time for which reading was paused since the disk buffer was full",
  );
  readonly syslogEntries = this.#define(
    "promtail_syslog_target_entries_total",
    "counter",
    "Syslog messages received",
  );
  readonly syslogErrors = this.#define(
    "promtail_syslog_target_parsing_errors_total",
    "counter",
    "Syslog messages that could not be read",
  );
  readonly journalLines = this.#define(
    "promtail_journal_target_lines_total",
    "counter",
    "Journal entries read",
  );
  readonly journalErrors = this.#define(
    "promtail_journal_target_parsing_errors_total",
    "counter",
    "Journal entries that became no line, by reason",
  );
  readonly dockerEntries = this.#define(
    "promtail_docker_target_entries_total",
    "counter",
    "Lines read from containers",
  );
  readonly dockerErrors = this.#define(
    "promtail_docker_target_parsing_errors_total",
    "counter",
    "Lines of containers whose time could not be read",
  );
  readonly openFiles = this.#define(
    "tailrace_collector_open_files",
    "gauge",
    "Descriptors of tailed files that are open",
  );

  /** The series of a family for these labels, to add to. */
  series(family: MetricFamily, labels: Readonly<Record<string, string>> = {}): Series {
    return family.series(LabelSet.of(labels), systemNowMs());
  }

  /** Prometheus' text format. */
  expose(): string {
    return this.registry.expose(systemNowMs());
  }

  #define(
    name: string,
    kind: MetricKind,
    help: string,
    buckets: ReadonlyArray<number> = [],
  ): MetricFamily {
    const family = new MetricFamily(name, kind, help, buckets);
    return this.registry.define(family) ?? family;
  }
}
