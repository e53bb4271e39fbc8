/** Numbers about actors, by kind and never by name, so that their count is bounded. Owns sampling
 *  and the text form; the counters themselves are kept by cell.ts. */
import type { KindCounters, Member } from "./node.ts";

/** All of them count since the system began, but actors, mailboxDepth and mailboxDepthMax, which
 *  are now. */
export interface KindMetrics {
  readonly kind: string;
  readonly actors: number;
  readonly started: number;
  /** Messages waiting in all mailboxes, and in the fullest. */
  readonly mailboxDepth: number;
  readonly mailboxDepthMax: number;
  readonly processed: number;
  readonly restarts: number;
  readonly failures: number;
  readonly dropped: number;
}

/** Visits every live actor once. */
export const kindMetrics = (
  kinds: Iterable<KindCounters>,
  members: Iterable<Member>,
): ReadonlyArray<KindMetrics> => {
  const samples = new Map<KindCounters, { depth: number; depthMax: number; processed: number }>();
  for (const counters of kinds) {
    samples.set(counters, { depth: 0, depthMax: 0, processed: counters.processedEnded });
  }
  for (const member of members) {
    member.visit((mailboxDepth, processed, counters) => {
      const sample = samples.get(counters)!;
      sample.depth += mailboxDepth;
      sample.depthMax = Math.max(sample.depthMax, mailboxDepth);
      sample.processed += processed;
    });
  }
  return [...samples].map(([counters, sample]) => ({
    kind: counters.kind,
    actors: counters.live,
    started: counters.started,
    mailboxDepth: sample.depth,
    mailboxDepthMax: sample.depthMax,
    processed: sample.processed,
    restarts: counters.restarts,
    failures: counters.failures,
    dropped: counters.dropped,
  }));
};

const families: ReadonlyArray<readonly [keyof KindMetrics, string, "gauge" | "counter", string]> = [
  ["actors", "tailrace_actors", "gauge", "Live actors"],
  ["started", "tailrace_actors_started_total", "counter", "Actors started"],
  ["mailboxDepth", "tailrace_actor_mailbox_messages", "gauge", "Messages waiting in mailboxes"],
  [
    "mailboxDepthMax",
    "tailrace_actor_mailbox_messages_max",
    "gauge",
    "Depth of the fullest mailbox",
  ],
  ["processed", "tailrace_actor_messages_total", "counter", "Messages taken by handlers"],
  ["restarts", "tailrace_actor_restarts_total", "counter", "Restarts"],
  ["failures", "tailrace_actor_failures_total", "counter", "Failures"],
  ["dropped", "tailrace_actor_messages_dropped_total", "counter", "Accepted messages not handled"],
];

/** The metrics in Prometheus' text exposition format (version 0.0.4). */
export const metricsText = (metrics: ReadonlyArray<KindMetrics>): string => {
  let text = "";
  for (const [field, name, type, help] of families) {
    text += `# HELP ${name} ${help}.\n# TYPE ${name} ${type}\n`;
    for (const row of metrics) text += `${name}{kind=${JSON.stringify(row.kind)}} ${row[field]}\n`;
  }
  return text;
};
