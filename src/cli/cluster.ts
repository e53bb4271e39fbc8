/** `tailrace cluster`, and its `status`: what storage/jetstream/clusterStatus.ts finds, as text or JSON. Owns the text. */
import { Console, Effect } from "effect";
import { Command, Flag } from "effect/cli";
import { inboxPrefix, permissionsConfig } from "../cluster/permissions.ts";
import { Nats } from "../cluster/Nats.ts";
import { errorText } from "../platform/files.ts";
import { loggingLayer } from "../platform/logging.ts";
import {
  clusterProblems,
  type ClusterStatus,
  readClusterStatus,
} from "../storage/jetstream/clusterStatus.ts";
import { credentials } from "./clusterCredentials.ts";
import { clusterSkip } from "./clusterSkip.ts";
import { failed } from "./failure.ts";
import { ProcessSettings, settingsHelp } from "./processSettings.ts";

/** Elections of the servers take 4 to 9 seconds. */
const answerMs = 15_000;

const status = Command.make(
  "status",
  {
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print it as JSON"),
      Flag.withDefault(false),
    ),
  },
  Effect.fnUntraced(function* ({ json }) {
    const { load } = yield* ProcessSettings;
    const { settings } = yield* load;
    const found = yield* Effect.flatMap(
      Nats,
      (link) => Effect.tryPromise({ try: () => readClusterStatus(link), catch: errorText }),
    ).pipe(
      Effect.provide(Nats.layer(settings)),
      // Roles wait for NATS for as long as it takes; who asks how it is wants to know.
      Effect.timeoutOrElse({
        duration: answerMs,
        orElse: () =>
          Effect.fail(
            `No answer from NATS at ${settings.nats.url}, which is nats.url, in ${
              answerMs / 1000
            } seconds; ` +
              "a server that is one process has no NATS, and GET /ready says how it is",
          ),
      }),
      // What it waits for goes where errors go, not into the answer.
      Effect.provide(loggingLayer(settings.server)),
      Effect.mapError((error) => failed(typeof error === "string" ? error : error.message)),
    );
    yield* Console.log(json ? JSON.stringify(found, undefined, 2) : textOf(found));
    const problems = clusterProblems(found);
    if (problems.length > 0) return yield* failed(`something is wrong: ${problems.join("; ")}`);
  }),
).pipe(
  Command.withShortDescription("Show partitions, owners, lag and the health of NATS"),
  Command.withDescription(
    "Show partitions with owner and lag, the processes of the cluster, and the streams in NATS. The\n" +
      `exit code is 1 if there is no partition or one without an owner, a log ends too early, or a stream lacks a replica.\n\n${settingsHelp}`,
  ),
  Command.withExamples([
    { command: "tailrace cluster status --nats.url=nats://nats:4222", description: "Is it well?" },
  ]),
);

const permissions = Command.make(
  "permissions",
  {},
  Effect.fnUntraced(function* () {
    const { load } = yield* ProcessSettings;
    const { settings } = yield* load;
    const options = {
      partitions: settings.ingester.partitions,
      objectShards: settings.nats.object_shards,
    };
    yield* Console.log(
      permissionsConfig(
        options,
        (role) => `nkey: "<public key of the ${role}>" # nats.inbox_prefix is ${inboxPrefix(role)}`,
      ),
    );
  }),
).pipe(
  Command.withShortDescription("Print what each role must be allowed in NATS"),
  Command.withDescription(
    "Print a block for the accounts section of nats-server's configuration, with the least that each\n" +
      `role must be allowed.\n\n${settingsHelp}`,
  ),
);

export const cluster = Command.make("cluster").pipe(
  Command.withShortDescription("Look at a cluster"),
  Command.withDescription("Look at a cluster on NATS."),
  Command.withSubcommands([status, clusterSkip, permissions, credentials]),
);

function textOf(
  { partitions, ingesters, queriers, rulers, compactors, streams }: ClusterStatus,
): string {
  const partitionRows = partitions.map((status) => [
    String(status.partition),
    status.owner === "" ? "none" : status.owner,
    String(status.checkpoint),
    String(status.next),
    String(status.next - status.checkpoint),
    megabytes(status.bytes),
    megabytes(status.bytesMax),
  ]);
  const skipped = partitions.flatMap(({ partition, skipped }) =>
    skipped.map(({ from, to, at }) => [String(partition), `${from} to ${to - 1}`, at])
  );
  const streamRows = streams.map(({ name, leader, messages, bytes, problems }) => [
    name,
    leader === "" ? "-" : leader,
    String(messages),
    megabytes(bytes),
    problems.length === 0 ? "ok" : problems.join(", "),
  ]);
  return [
    [["PARTITION", "OWNER", "CHECKPOINT", "NEXT", "LAG", "LOG", "LIMIT"], ...partitionRows],
    [
      ["ROLE", "PROCESS"],
      ...ingesters.map((name) => ["ingester", name]),
      ...queriers.map((name) => ["querier", name]),
      ...rulers.map((name) => ["ruler", name]),
      ...compactors.map((name) => ["compactor", name]),
    ],
    ...(skipped.length === 0 ? [] : [[["PARTITION", "SKIPPED OFFSETS", "AT"], ...skipped]]),
    [["STREAM", "LEADER", "MESSAGES", "BYTES", "REPLICAS"], ...streamRows],
  ].map(aligned).join("\n\n");
}

function aligned(rows: ReadonlyArray<ReadonlyArray<string>>): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, at) => widths[at] = Math.max(widths[at] ?? 0, cell.length));
  }
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at]!)).join("  ").trimEnd())
    .join("\n");
}

function megabytes(bytes: number): string {
  return bytes < 0 ? "none" : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
