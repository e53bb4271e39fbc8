/** `syslog`: messages that other programs send. Owns labels and times of messages; syslogMessage.ts owns their form,
 *  platform/lineListener.ts the sockets. What came over UDP while the disk buffer is full is dropped and counted. */
import { Effect, Layer } from "effect";
import { systemNowMs } from "../../platform/clock.ts";
import { listenTcp, listenUdp } from "../../platform/lineListener.ts";
import type { SyslogConfig } from "../config/scrapeConfig.ts";
import { type Job, Lines } from "../Lines.ts";
import type { Origin } from "../tailing/lineSink.ts";
import { parseRfc3164, parseRfc5424, SyslogFramer, type SyslogMessage } from "./syslogMessage.ts";

/** Listens for all jobs with `syslog`. Fails if an address cannot be listened on. */
export const syslogLayer = Layer.effectDiscard(
  Effect.gen(function* () {
    const lines = yield* Lines;
    for (const job of lines.jobs) {
      if (job.config.syslog !== undefined) yield* listen(lines, job, job.config.syslog);
    }
  }),
);

const listen = Effect.fnUntraced(function* (
  lines: Lines["Service"],
  job: Job,
  config: SyslogConfig,
) {
  const { listen_address: address, listen_protocol: protocol } = config;
  const separator = address.lastIndexOf(":");
  const options = {
    host: address.slice(0, separator).replace(/^\[|\]$/g, "") || "0.0.0.0",
    port: Number(address.slice(separator + 1)),
    idleMs: config.idle_timeout,
    tls: config.tls_config,
  };
  const bytesMax = config.max_message_length || 8192;
  const target: Target = { lines, job, config, count: 0 };
  lines.sources.add({
    job: job.name,
    kind: "syslog",
    where: `${protocol} ${address}`,
    isReady: true,
    detail: () => `${target.count} messages`,
  });
  yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () =>
        protocol === "udp"
          ? listenUdp(options, (bytes, from) => {
            const { metrics } = lines;
            if (lines.hasRoom()) receive(target, bytes, from, { id: "" });
            else metrics.series(metrics.droppedEntries, { reason: "buffer_full" }).value++;
          })
          : listenTcp(options, async (parts, from) => {
            const framer = new SyslogFramer(bytesMax);
            for await (const part of parts) {
              await lines.room();
              for (const bytes of framer.push(part)) {
                receive(target, bytes, from, { id: from });
              }
            }
          }),
      catch: (cause) =>
        new Error(`cannot listen for syslog on ${address}: ${(cause as Error).message}`),
    }),
    (listener) => Effect.sync(() => listener.close()),
  );
});

/** What messages of one address go through. */
interface Target {
  readonly lines: Lines["Service"];
  readonly job: Job;
  readonly config: SyslogConfig;
  /** Messages so far. */
  count: number;
}

function receive(
  syslog: Target,
  bytes: Uint8Array,
  address: string,
  source: { readonly id: string },
): void {
  const { lines, job, config } = syslog;
  const text = new TextDecoder().decode(bytes).replace(/\n$/, "");
  const nowMs = systemNowMs();
  const message = config.syslog_format === "rfc3164"
    ? parseRfc3164(text, nowMs)
    : parseRfc5424(text);
  if (message === undefined) {
    lines.metrics.series(lines.metrics.syslogErrors).value++;
    return;
  }
  const target = job.relabel(labelsOf(message, config, address));
  if (target === null) return;
  const origin: Origin = { id: `syslog/${source.id}`, positionBefore: () => undefined };
  const line = new TextEncoder().encode(config.use_rfc5424_message ? text : message.message);
  const time = config.use_incoming_timestamp ? message.time : undefined;
  lines.intake.line(line, time, { pipeline: job.pipeline, labels: target.labels }, origin, 0);
  // A message is whole: nothing of it waits for another.
  job.pipeline.flushOrigin(origin);
  lines.metrics.series(lines.metrics.syslogEntries).value++;
  syslog.count++;
}

/** What relabel rules see. */
function labelsOf(
  message: SyslogMessage,
  config: SyslogConfig,
  address: string,
): ReadonlyMap<string, string> {
  const labels = new Map(Object.entries(config.labels));
  labels.set("__syslog_connection_ip_address", address.replace(/^::ffff:/, ""));
  const fields = [
    ["severity", message.severity],
    ["facility", message.facility],
    ["hostname", message.hostname],
    ["app_name", message.appName],
    ["proc_id", message.procId],
    ["msg_id", message.msgId],
  ] as const;
  for (const [name, value] of fields) {
    if (value !== "") labels.set(`__syslog_message_${name}`, value);
  }
  if (config.label_structured_data) {
    for (const [id, name, value] of message.structuredData) {
      const label = `__syslog_message_sd_${id}_${name}`.replace(/[^a-zA-Z0-9_]/g, "_");
      labels.set(label, value);
    }
  }
  return labels;
}
