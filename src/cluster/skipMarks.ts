/** Which offsets of a partition's log an operator has given up: they are missing or damaged on every replica, and `tailrace
 *  cluster skip` (storage/jetstream/skipLost.ts) noted that the partition is to go on without them. Owns the note.
 *  JetStreamWriteLog.ts reads these offsets as records without lines, so that owners, queries and replays need to know nothing of
 *  it, and every row before and behind them gets into a segment as always.
 *
 *  It lies in the metadata of the log's stream. Whoever reads a log asks the stream's leader for its bounds first, and the
 *  metadata comes with that answer: it costs no request, nobody has an old copy, it is backed up, restored and removed with the
 *  log that it is about, and `nats stream info` shows it. Moving the checkpoint instead would drop the rows before the hole.
 *  A stream's configuration knows no compare-and-set. It needs none: ranges are only added, and one that got lost between two
 *  writers stops its partition again, as without it. What was skipped once is not read again even if it turns up: a segment
 *  may cover it. */
import type { StreamConfig } from "@nats-io/jetstream";

export interface SkippedOffsets {
  readonly from: number;
  /** Not included. */
  readonly to: number;
  /** When the operator said so, as ISO 8601. */
  readonly at: string;
}

const key = "tailrace-skipped";
/** The newest are kept. Older ones are covered by segments long before there are so many. */
const rangesMax = 100;

/** What is noted in a stream's configuration; nothing for what cannot be understood, so that reading stops as without it. */
export function skippedOffsets({ metadata }: Pick<StreamConfig, "metadata">) {
  const ranges: SkippedOffsets[] = [];
  for (const text of (metadata?.[key] ?? "").split(", ")) {
    const match = /^(\d+) to (\d+) at (\S+)$/.exec(text);
    if (match === null) continue;
    const [from, to] = [Number(match[1]), Number(match[2])];
    if (from < to) ranges.push({ from, to, at: match[3]! });
  }
  return ranges;
}

/** The metadata of a stream whose offsets from `added.from` to `added.to` are skipped too. */
export function withSkipped(
  config: Pick<StreamConfig, "metadata">,
  added: SkippedOffsets,
): Record<string, string> {
  const ranges = [...skippedOffsets(config), added].slice(-rangesMax);
  const text = ranges.map(({ from, to, at }) => `${from} to ${to} at ${at}`).join(", ");
  return { ...config.metadata, [key]: text };
}

/** Where a log begins whose first message is `first`, if what was skipped right before that counts as there. */
export function firstWith(skipped: ReadonlyArray<SkippedOffsets>, first: number): number {
  const before = skipped.find(({ from, to }) => from < first && to >= first);
  return before === undefined ? first : firstWith(skipped, before.from);
}
