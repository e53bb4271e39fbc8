/** The streams that Tailrace keeps in NATS: their names, subjects and configuration. Each is created when it is first needed; one
 *  that exists is checked, because an operator who lowers its replicas or its retention breaks what a 204 promises.
 *
 *    LOGS_<partition>          logs.<tenant>.<partition>     the write log: one message a batch
 *    OBJ_tailrace_<shard>      $O.tailrace_<shard>.{C,M}.>   segments, as an object store bucket
 *    KV_tailrace_index         $KV.tailrace_index.>          what is committed: segments and checkpoints
 *    KV_tailrace_leases        $KV.tailrace_leases.>         who is there and who owns which partition; entries expire
 *    KV_tailrace_rules         $KV.tailrace_rules.>          rule groups, and what their evaluations have come to */
import {
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import type { NatsLink } from "./Nats.ts";
import { apiCode, retrying, StreamMissing, streamNotFound } from "./natsErrors.ts";

export type WantedStream = Partial<StreamConfig> & {
  readonly name: string;
  readonly subjects: Array<string>;
};

/** A stream exists with a configuration that does not keep what it should. */
export class StreamMisconfigured extends Error {
  override readonly name = "StreamMisconfigured";
}

export const indexBucket = "tailrace_index";
export const leaseBucket = "tailrace_leases";
export const ruleBucket = "tailrace_rules";

export function logStreamName(partition: number): string {
  return `LOGS_${partition}`;
}

export function objectBucketName(shard: number): string {
  return `tailrace_${shard}`;
}

/** The subject of a tenant's batches in a partition. Records that are no batches have none: theirs is "=". */
export function logSubject(tenant: string, partition: number): string {
  return `logs.${tenant === "" ? "=" : tenantToken(tenant)}.${partition}`;
}

/** The subject on which JetStream tells of a batch once it is stored, with its sequence as the
 *  header Nats-Sequence. `tenantPart` is a tenantToken or "*". */
export function tailSubject(tenantPart: string, partition: number | "*"): string {
  return `tail.${tenantPart}.${partition}`;
}

/** A tenant as one token of a subject: what a subject cannot hold is "=" and two hex digits for each byte. */
export function tenantToken(tenant: string): string {
  return tenant.replace(
    /[^A-Za-z0-9_-]/gu,
    (character) =>
      Array.from(
        new TextEncoder().encode(character),
        (byte) => `=${byte.toString(16).padStart(2, "0")}`,
      ).join(""),
  );
}

export function logStream(partition: number, bytesMax: number): WantedStream {
  return {
    name: logStreamName(partition),
    subjects: [`logs.*.${partition}`],
    description: "Tailrace's write log of one partition: batches that are not all in segments yet",
    max_bytes: bytesMax,
    // A full log must refuse, which is the backpressure signal, and never drop what was acknowledged.
    discard: DiscardPolicy.New,
    duplicate_window: 120 * 1e9,
    republish: { src: `logs.*.${partition}`, dest: `tail.{{wildcard(1)}}.${partition}` },
    // Single messages are never deleted: a hole in the sequence means that the store is damaged.
    deny_delete: true,
  };
}

export function objectStream(shard: number): WantedStream {
  const bucket = objectBucketName(shard);
  return {
    name: `OBJ_${bucket}`,
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    description: "Tailrace's segments",
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
  };
}

/** A key-value bucket as its clients expect it. */
export function bucketStream(bucket: string, more: Partial<StreamConfig> = {}): WantedStream {
  return {
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    max_msgs_per_subject: 1,
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    deny_delete: true,
    ...more,
  };
}

/** The bucket of Leases.ts and logMarks.ts. */
export function leaseStream(): WantedStream {
  return bucketStream(leaseBucket, { allow_msg_ttl: true });
}

/** Creates the stream if it is not there, else checks it. Waits while the servers elect leaders. With `announce` the stream takes
 *  nothing before that has resolved: it is created *closed*, with no subject but its own name, and gets its subjects then. One
 *  that is there, of an earlier version or restored, is announced too. */
export async function ensureStream(
  link: NatsLink,
  wanted: WantedStream,
  announce?: () => Promise<void>,
): Promise<StreamInfo> {
  const config = configOf(link, wanted);
  const { republish, ...rest } = config;
  const created = announce === undefined ? config : { ...rest, subjects: [config.name] };
  const { streams } = link.manager;
  // From the beginning each time: another process may have done meanwhile what this one may not.
  return await retrying(startMs, async () => {
    const info = await streams.info(config.name).catch((error) => {
      if (apiCode(error) !== streamNotFound) throw error;
      return streams.add(created);
    });
    check(config, info.config);
    // What is a setting of ours, or came with a later version; changing it loses nothing.
    const changed: Partial<StreamConfig> = {};
    if (config.max_bytes !== undefined && config.max_bytes !== info.config.max_bytes) {
      changed.max_bytes = config.max_bytes;
    }
    if (config.allow_msg_ttl === true && info.config.allow_msg_ttl !== true) {
      changed.allow_msg_ttl = true;
    }
    await announce?.();
    if (isClosed(info.config)) Object.assign(changed, { subjects: config.subjects, republish });
    return Object.keys(changed).length === 0 ? info : await streams.update(config.name, changed);
  });
}

/** Checks a stream that others create, and waits until they have. Rejects after `limitMs`. */
export async function findStream(
  link: NatsLink,
  wanted: WantedStream,
  limitMs: number,
): Promise<StreamInfo> {
  const config = configOf(link, wanted);
  const info = await retrying(
    limitMs,
    () =>
      link.manager.streams.info(config.name).catch((error) => {
        if (apiCode(error) !== streamNotFound) throw error;
        throw new StreamMissing(`there is no stream ${config.name} yet`);
      }),
  );
  check(config, info.config);
  return info;
}

function configOf(link: NatsLink, wanted: WantedStream): WantedStream {
  return {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: link.replicas,
    allow_direct: true,
    ...wanted,
  };
}

function isClosed({ name, subjects }: StreamConfig): boolean {
  return subjects.length === 1 && subjects[0] === name;
}

/** Elections take 4 to 9 seconds. */
const startMs = 30_000;

function check(wanted: WantedStream, found: StreamConfig): void {
  const problems: string[] = [];
  if (found.num_replicas < (wanted.num_replicas ?? 1)) {
    problems.push(
      `it has ${found.num_replicas} replicas and nats.replicas is ${wanted.num_replicas}: run \`nats stream edit ` +
        `${wanted.name} --replicas ${wanted.num_replicas}\`, or change the setting`,
    );
  }
  const must = (name: keyof StreamConfig, value: unknown) => {
    const is = found[name];
    if (JSON.stringify(is) === JSON.stringify(value)) return;
    problems.push(`${name} is ${JSON.stringify(is)} and must be ${JSON.stringify(value)}`);
  };
  must("storage", wanted.storage);
  must("retention", wanted.retention);
  must("discard", wanted.discard);
  must("max_age", 0);
  must("max_msgs", -1);
  must("max_msgs_per_subject", wanted.max_msgs_per_subject ?? -1);
  must("allow_direct", true);
  if (wanted.allow_atomic === true) must("allow_atomic", true);
  for (const subject of isClosed(found) ? [] : wanted.subjects) {
    if (!found.subjects.includes(subject)) problems.push(`it does not take ${subject}`);
  }
  if (problems.length === 0) return;
  throw new StreamMisconfigured(`Cannot use stream ${wanted.name}: ${problems.join("; ")}`);
}
