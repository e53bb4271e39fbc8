/** What settings must be beyond what each one's schema says: texts in them that are LogQL or regular expressions can be read,
 *  and they fit together. `config --check` and `serve` ask the same, so that what is valid starts. */
import { Effect } from "effect";
import { Retention } from "./actors/policy/retention.ts";
import { OtlpRules } from "./api/otlpAttributes.ts";
import { formatByteSize, type Settings, SettingsInvalid } from "./platform/config/mod.ts";

/** Fails with SettingsInvalid, which has every mistake. */
export const checkSettings = (settings: Settings): Effect.Effect<void, SettingsInvalid> =>
  Effect.suspend(() => {
    const { storage, target } = settings;
    const problems = [
      ...problemsOf(() => new Retention(settings)),
      ...problemsOf(() => new OtlpRules(settings)),
    ];
    problems.push(...sizeProblems(settings));
    if (storage.engine === "embedded" && target !== "all") {
      problems.push(
        `target: "${target}" needs storage.engine nats: with "embedded" one process has the data for itself`,
      );
    }
    return problems.length === 0 ? Effect.void : Effect.fail(new SettingsInvalid({ problems }));
  });

/** A segment is cut when enough is in memory: that must be possible before pushes are refused for want of room. */
function sizeProblems({ ingester, nats, storage }: Settings): ReadonlyArray<string> {
  const rooms: ReadonlyArray<readonly [name: string, bytes: number]> = [
    ["ingester.max_unflushed_bytes", ingester.max_unflushed_bytes],
    storage.engine === "nats"
      ? ["nats.log_max_bytes", nats.log_max_bytes]
      : ["ingester.wal.max_size", ingester.wal.max_size],
  ];
  return rooms.flatMap(([name, bytes]) =>
    bytes > ingester.segment_target_bytes ? [] : [
      `${name}: ${formatByteSize(bytes)} is not more than ingester.segment_target_bytes, ` +
      `${
        formatByteSize(ingester.segment_target_bytes)
      }: pushes would be refused before a segment is cut. ` +
      `Make it at least twice as large`,
    ]
  );
}

function problemsOf(make: () => unknown): ReadonlyArray<string> {
  try {
    make();
    return [];
  } catch (error) {
    if (error instanceof SettingsInvalid) return error.problems;
    throw error;
  }
}
