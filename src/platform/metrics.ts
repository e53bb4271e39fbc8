/** The process's metrics, in one place so that names and labels stay consistent. Names are Loki's where the meaning is the same,
 *  so that dashboards and alerts carry over; `tailrace_` is ours. Rendered by PrometheusMetrics at /metrics.
 *  Invariant: label values come from small fixed sets or tenants, never from streams. */
import { Metric } from "effect";

export const linesReceived = Metric.counter("loki_distributor_lines_received_total", {
  description: "Lines accepted from pushes, by tenant",
  incremental: true,
});

export const bytesReceived = Metric.counter("loki_distributor_bytes_received_total", {
  description: "Line bytes accepted from pushes, by tenant",
  incremental: true,
});

export const discardedSamples = Metric.counter("loki_discarded_samples_total", {
  description: "Lines refused, by tenant and reason",
  incremental: true,
});

export const discardedBytes = Metric.counter("loki_discarded_bytes_total", {
  description: "Line bytes refused, by tenant and reason",
  incremental: true,
});

export const segmentsFlushed = Metric.counter("tailrace_segments_flushed_total", {
  description: "Segments committed to the index",
  incremental: true,
});

export const segmentBytesFlushed = Metric.counter("tailrace_segment_bytes_flushed_total", {
  description: "Bytes of committed segments as stored",
  incremental: true,
});

export const flushFailures = Metric.counter("tailrace_flush_failures_total", {
  description: "Segments that could not be put or committed; they are tried again",
  incremental: true,
});

export const compactorSegmentsReplaced = Metric.counter(
  "tailrace_compactor_segments_replaced_total",
  {
    description: "Segments that were merged into others, or deleted",
    incremental: true,
  },
);

export const compactorBytesRead = Metric.counter("tailrace_compactor_bytes_read_total", {
  description: "Stored bytes of segments that were replaced",
  incremental: true,
});

export const compactorBytesWritten = Metric.counter("tailrace_compactor_bytes_written_total", {
  description: "Stored bytes of the segments that replaced them",
  incremental: true,
});

export const compactionFailures = Metric.counter("tailrace_compactor_failures_total", {
  description: "Looks at the segments that ended with an error; they are tried again",
  incremental: true,
});

export const compactionLastSuccess = Metric.gauge(
  "tailrace_compactor_last_success_timestamp_seconds",
  { description: "When everything that could be merged or had expired was done, since 1970" },
);

export const compactionLag = Metric.gauge("tailrace_compactor_lag_seconds", {
  description: "Time since everything that could be merged or had expired was done",
});

export const removedObjects = Metric.gauge("tailrace_compactor_removal_pending_bytes", {
  description: "Stored bytes of replaced segments that stay for queries that have begun",
});

export const storedBytes = Metric.gauge("tailrace_stored_bytes", {
  description: "Stored bytes of all segments of the index",
});

export const queryBytesScanned = Metric.counter("tailrace_query_bytes_scanned_total", {
  description: "Line bytes that queries looked at",
  incremental: true,
});

export const heldAnswerBytes = Metric.gauge("tailrace_held_answer_bytes", {
  description: "Bytes of answers that wait for their clients to read them",
});

export const slowClientsEnded = Metric.counter("tailrace_slow_clients_ended_total", {
  description: "Connections that were ended because their clients did not read answers",
  incremental: true,
});

export const workerJobs = Metric.counter("tailrace_worker_jobs_total", {
  description: "Jobs that worker threads are done with, by kind and how they ended",
  incremental: true,
});

export const workerJobsRunning = Metric.gauge("tailrace_worker_jobs_running", {
  description: "Jobs that worker threads run now, by kind",
});

export const tailLinesDropped = Metric.counter("tailrace_tail_lines_dropped_total", {
  description: "Lines that slow tail clients did not get",
  incremental: true,
});

export const tailClients = Metric.gauge("tailrace_tail_clients", {
  description: "Live tails that are open",
});

export const unflushedBytes = Metric.gauge("tailrace_ingester_unflushed_bytes", {
  description: "Bytes in memory that are in no segment yet, by partition",
});

export const unflushedStreams = Metric.gauge("tailrace_ingester_streams", {
  description: "Streams in memory, by partition",
});

export const unflushedRecords = Metric.gauge("tailrace_ingester_unflushed_records", {
  description: "Write log records that no segment covers yet, by partition",
});

export const requestSeconds = Metric.histogram("loki_request_duration_seconds", {
  description: "Time from request to response, by route and status code",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50],
});

export const notificationsSent = Metric.counter("loki_prometheus_notifications_sent_total", {
  description: "Alerts that an Alertmanager took",
  incremental: true,
});

export const notificationsFailed = Metric.counter("loki_prometheus_notifications_errors_total", {
  description: "Alerts in requests that an Alertmanager did not take; they are tried again",
  incremental: true,
});

export const notificationsDropped = Metric.counter("loki_prometheus_notifications_dropped_total", {
  description: "Alerts that an Alertmanager never got",
  incremental: true,
});

export const notificationsQueued = Metric.gauge("loki_prometheus_notifications_queue_length", {
  description: "Alerts that wait for an Alertmanager",
});

export const ruleEvaluations = Metric.counter("loki_prometheus_rule_evaluations_total", {
  description: "Rules that were evaluated, by tenant",
  incremental: true,
});

export const ruleFailures = Metric.counter("loki_prometheus_rule_evaluation_failures_total", {
  description: "Rules whose evaluation failed, by tenant",
  incremental: true,
});

export const ruleIterations = Metric.counter("loki_prometheus_rule_group_iterations_total", {
  description: "Evaluations of groups that were due, missed ones included, by tenant",
  incremental: true,
});

export const ruleIterationsMissed = Metric.counter(
  "loki_prometheus_rule_group_iterations_missed_total",
  {
    description:
      "Evaluations of groups that did not take place since the one before took too long, by tenant",
    incremental: true,
  },
);

export const ruleGroupSeconds = Metric.histogram("loki_prometheus_rule_group_duration_seconds", {
  description: "Time that evaluations of groups took",
  boundaries: [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60],
});

export const ruleGroupsOwned = Metric.gauge("tailrace_ruler_groups", {
  description: "Rule groups that this process evaluates",
});

export const samplesWritten = Metric.counter("loki_ruler_remote_write_samples_total", {
  description: "Samples that remote write's receiver took",
  incremental: true,
});

export const samplesFailed = Metric.counter("loki_ruler_remote_write_samples_failed_total", {
  description: "Samples in requests that the receiver did not take; they are tried again",
  incremental: true,
});

export const samplesDropped = Metric.counter("loki_ruler_remote_write_samples_dropped_total", {
  description: "Samples that the receiver never got",
  incremental: true,
});

export const samplesQueued = Metric.gauge("loki_ruler_remote_write_samples_pending", {
  description: "Samples that wait for remote write's receiver",
});
