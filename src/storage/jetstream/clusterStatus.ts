/** What a cluster looks like from outside its processes: partitions with their owners and lag,
 *  processes, streams and their replicas. Reads only what is in NATS, so it works whoever is down. */
import type { StreamInfo } from "@nats-io/jetstream";
import { Context, Effect, Layer } from "effect";
import { leaderGet } from "../../cluster/directGet.ts";
import { readLogMark } from "../../cluster/logMarks.ts";
import { Leases, membersOf } from "../../cluster/Leases.ts";
import { Nats, type NatsLink } from "../../cluster/Nats.ts";
import { type SkippedOffsets, skippedOffsets } from "../../cluster/skipMarks.ts";
import { errorText } from "../../platform/files.ts";
import { indexBucket } from "../../cluster/streams.ts";
import { checkpointKey, type CheckpointRecord } from "./indexRecords.ts";

export interface PartitionStatus {
  readonly partition: number;
  /** "" while nobody owns it. */
  readonly owner: string;
  /** First log offset in no segment, and the one that the next batch gets. */
  readonly checkpoint: number;
  readonly next: number;
  /** What `next` must be at least: below it offsets were stored. */
  readonly known: number;
  /** Bytes in the log, those of segments that were committed a moment ago included. */
  readonly bytes: number;
  readonly bytesMax: number;
  /** What an operator gave up of its log. */
  readonly skipped: ReadonlyArray<SkippedOffsets>;
}

export interface StreamStatus {
  readonly name: string;
  readonly leader: string;
  readonly messages: number;
  readonly bytes: number;
  /** What is wrong with its replicas; empty if nothing is. */
  readonly problems: ReadonlyArray<string>;
}

export interface ClusterStatus {
  readonly partitions: ReadonlyArray<PartitionStatus>;
  /** Processes that announced themselves in the last seconds, by role. */
  readonly ingesters: ReadonlyArray<string>;
  readonly queriers: ReadonlyArray<string>;
  readonly rulers: ReadonlyArray<string>;
  readonly compactors: ReadonlyArray<string>;
  readonly streams: ReadonlyArray<StreamStatus>;
}

/** The same for those who know nothing of NATS. Fails with NATS's own words. */
export class ClusterOverview extends Context.Service<ClusterOverview, {
  readonly read: Effect.Effect<ClusterStatus, string>;
}>()("tailrace/storage/ClusterOverview") {
  static readonly layer = Layer.effect(
    ClusterOverview,
    Effect.map(Nats, (link) => ({
      read: Effect.tryPromise({ try: () => readClusterStatus(link), catch: errorText }),
    })),
  );
}

/** What an operator should look at, in words; empty if all is well. */
export function clusterProblems(status: ClusterStatus): ReadonlyArray<string> {
  return [
    ...(status.partitions.length === 0
      ? ["there is no partition: no ingester has started yet"]
      : []),
    ...status.partitions.filter(({ owner }) => owner === "").map(({ partition }) =>
      `partition ${partition} has no owner`
    ),
    ...status.partitions.filter(({ known, next }) => next < known).map((lost) =>
      `the log of partition ${lost.partition} held offsets below ${lost.known} and now ends before ${lost.next}`
    ),
    ...status.streams.flatMap(({ name, problems }) =>
      problems.map((problem) => `${name}: ${problem}`)
    ),
  ];
}

/** Asks NATS. Rejects if it does not answer. */
export async function readClusterStatus(link: NatsLink): Promise<ClusterStatus> {
  const leases = await (await Leases.open(link)).list();
  const { streams } = link.manager;
  // Names, then each: a querier may look at Tailrace's streams and list no others.
  const infos: StreamInfo[] = [];
  for await (const name of streams.names()) if (isOurs(name)) infos.push(await streams.info(name));
  infos.sort((a, b) => a.config.name < b.config.name ? -1 : 1);
  const partitions: PartitionStatus[] = [];
  for (const info of infos) {
    const number = /^LOGS_(\d+)$/.exec(info.config.name)?.[1];
    if (number === undefined) continue;
    const owner = leases.find(({ key }) => key === `partition.${number}`)?.value ?? "";
    partitions.push(await partitionStatus(link, Number(number), owner, info));
  }
  const names = (kind: string) => membersOf(leases, kind).toSorted();
  return {
    partitions: partitions.sort((a, b) => a.partition - b.partition),
    ingesters: names("ingester"),
    queriers: names("querier"),
    rulers: names("ruler"),
    compactors: names("compactor"),
    streams: infos.map(streamStatus),
  };
}

function isOurs(name: string): boolean {
  return /^(LOGS_\d+|OBJ_tailrace_\d+|KV_tailrace_[a-z]+)$/.test(name);
}

async function partitionStatus(
  link: NatsLink,
  partition: number,
  owner: string,
  { state, config }: StreamInfo,
): Promise<PartitionStatus> {
  const record = await readCheckpoint(link, partition);
  return {
    partition,
    owner,
    checkpoint: record?.next ?? 1,
    next: state.last_seq + 1,
    known: Math.max(await readLogMark(link, partition), record?.next ?? 1),
    bytes: state.bytes,
    bytesMax: config.max_bytes,
    skipped: skippedOffsets(config),
  };
}

/** Where a partition stands as the index's leader has it; undefined before it was claimed. */
export async function readCheckpoint(
  link: NatsLink,
  partition: number,
): Promise<CheckpointRecord | undefined> {
  const message = await leaderGet(link, `KV_${indexBucket}`, {
    last_by_subj: `$KV.${indexBucket}.${checkpointKey(partition)}`,
  });
  return message && JSON.parse(new TextDecoder().decode(message.data));
}

function streamStatus({ config, state, cluster }: StreamInfo): StreamStatus {
  const replicas = cluster?.replicas ?? [];
  const problems = replicas.flatMap(({ name, offline, current, lag }) => {
    if (offline === true) return [`${name} is offline`];
    return current ? [] : [`${name} is ${lag === undefined ? "" : `${lag} operations `}behind`];
  });
  if (config.num_replicas > 1 && cluster?.leader === undefined) problems.push("it has no leader");
  return {
    name: config.name,
    leader: cluster?.leader ?? "",
    messages: state.messages,
    bytes: state.bytes,
    problems,
  };
}
