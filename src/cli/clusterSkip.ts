/** `tailrace cluster skip`: what storage/jetstream/skipLost.ts finds in a partition's log, and on --yes does, as text. Owns the text. */
import { Console, Effect, Layer } from "effect";
import { Command, Flag } from "effect/cli";
import { Nats } from "../cluster/Nats.ts";
import { indexBucket, logStreamName } from "../cluster/streams.ts";
import { errorText } from "../platform/files.ts";
import { loggingLayer } from "../platform/logging.ts";
import { jetStreamWriteLogLayer } from "../storage/jetstream/JetStreamWriteLog.ts";
import {
  findLost,
  flushOwner,
  type LogFinding,
  type LostOffsets,
  skipLost,
} from "../storage/jetstream/skipLost.ts";
import { failed } from "./failure.ts";
import { ProcessSettings, settingsHelp } from "./processSettings.ts";

const connectMs = 15_000;

export const clusterSkip = Command.make(
  "skip",
  {
    partition: Flag.Int("partition").pipe(
      Flag.withDescription("The partition that has stopped"),
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withDescription("Go on without what is lost; else it is only told"),
      Flag.withDefault(false),
    ),
  },
  Effect.fnUntraced(function* ({ partition, yes }) {
    if (partition < 0) return yield* failed(`--partition=${partition}: they count from 0`);
    const { load } = yield* ProcessSettings;
    const { settings } = yield* load;
    const find = findLost(partition);
    const work = Effect.gen(function* () {
      if (yes) yield* flushOwner(partition);
      const finding = yield* find;
      yield* Console.log(textOf(partition, finding));
      if (finding.kind === "whole") return;
      if (finding.kind !== "lost") return yield* failed("nothing was changed");
      if (!yes) {
        return yield* failed(
          `nothing was changed. To go on without them: tailrace cluster skip --partition=${partition} --yes`,
        );
      }
      yield* skipLost(partition, finding);
      yield* Console.log(skippedText);
      const more = yield* find;
      if (more.kind === "whole") return;
      yield* Console.log(textOf(partition, more));
      return yield* failed("there is more behind it: run the command again");
    });
    const log = { partitionBytesMax: settings.nats.log_max_bytes, createsLogs: false };
    yield* Layer.build(Nats.layer(settings)).pipe(
      Effect.timeoutOrElse({
        duration: connectMs,
        orElse: () =>
          Effect.fail(`No answer from NATS at ${settings.nats.url} in ${connectMs / 1000} seconds`),
      }),
      Effect.flatMap((nats) =>
        work.pipe(Effect.provide(jetStreamWriteLogLayer(log)), Effect.provide(nats))
      ),
      Effect.scoped,
      Effect.provide(loggingLayer(settings.server)),
      Effect.mapError((error) => failed(errorText(error))),
    );
  }),
).pipe(
  Command.withShortDescription("Have a partition go on without what its log has lost"),
  Command.withDescription(
    "Read a partition's log from the checkpoint on, and tell the first records that no replica has or that\n" +
      "are damaged on each: offsets, how many, between which times they were stored. The partition has stopped\n" +
      "there. With --yes it goes on without them, and only without them; `cluster status` says so from then on.\n" +
      "The exit code is 0 if all can be read. Nothing is skipped while a replica has it, or is away and may.\n" +
      `With --yes it needs an ingester's credentials, without a querier's.\n\n${settingsHelp}`,
  ),
  Command.withExamples([
    {
      command: "tailrace cluster skip --partition=3 --nats.url=nats://nats:4222",
      description: "What is lost?",
    },
  ]),
);

const skippedText =
  "They are skipped now. The partition goes on within seconds, and `tailrace cluster status` keeps what was skipped.";

function textOf(partition: number, finding: LogFinding): string {
  const stream = logStreamName(partition);
  switch (finding.kind) {
    case "whole":
      return `Partition ${partition}: everything from its checkpoint, ${finding.checkpoint}, to the end of ${stream}, ${finding.next}, ` +
        "can be read. There is nothing to skip.";
    case "elsewhere":
      return `Partition ${partition}: offset ${finding.offset} of ${stream} is not lost: ${
        elsewhereText(stream, finding)
      }`;
    case "away":
      return `Partition ${partition}: offset ${finding.offset} of ${stream} cannot be read now, but ${
        finding.servers.join(", ")
      } may have it: away, or behind the leader. Wait for it or bring it back first, with an empty disk if its own is gone.`;
    case "lost":
      return lostText(partition, finding);
  }
}

function elsewhereText(
  stream: string,
  { hasLeader, leader, others }: Extract<LogFinding, { readonly kind: "elsewhere" }>,
): string {
  return hasLeader
    ? `${leader}, which leads the stream, has it. Of ${
      others.join(", ")
    } one is damaged: replace its disk.`
    : `${
      others.join(" or ")
    } has it, and ${leader}, which leads the stream, has not. Move the leader there ` +
      `(nats stream cluster step-down ${stream}) and replace the disk of ${leader}.`;
}

function lostText(partition: number, lost: LostOffsets): string {
  const { from, to, after, before, servers, owner } = lost;
  const count = to - from;
  const which = count === 1 ? `offset ${from}` : `offsets ${from} to ${to - 1}`;
  const lines = [
    `Partition ${partition}: ${which} of ${
      logStreamName(partition)
    } cannot be read on any replica (${servers.join(", ")}).`,
    `Lost: ${count} ${count === 1 ? "record" : "records"} of one or more lines, stored ` +
    `${after === undefined ? "" : `after ${after.toISOString()} and `}` +
    `before ${before === undefined ? "now" : before.toISOString()}.`,
  ];
  if (lost.isBeginning) {
    lines.push(
      `The log begins behind the index's checkpoint. If ${indexBucket} was restored from a backup, they may be in segments that it ` +
        "does not know: restore a newer one instead.",
    );
  }
  if (owner !== "") {
    lines.push(
      `${owner}, which owns it, may still have them: --yes asks it first to write what it has.`,
    );
  }
  return lines.join("\n");
}
