/** What settings must be beyond what each one's schema says: texts in them that are LogQL or regular expressions can be read,
 *  and they fit together. `config --check` and `serve` ask the same, so that what is valid starts. */
import { Effect } from "effect";
import { Retention } from "./actors/policy/retention.ts";
import { OtlpRules } from "./api/otlpAttributes.ts";
import { type Settings, SettingsInvalid } from "./platform/config/mod.ts";

/** Fails with SettingsInvalid, which has every mistake. */
export const checkSettings = (settings: Settings): Effect.Effect<void, SettingsInvalid> =>
  Effect.suspend(() => {
    const { storage, target } = settings;
    const problems = [
      ...problemsOf(() => new Retention(settings)),
      ...problemsOf(() => new OtlpRules(settings)),
    ];
    if (storage.engine === "embedded" && target !== "all") {
      problems.push(
        `target: "${target}" needs storage.engine nats: with "embedded" one process has the data for itself`,
      );
    }
    return problems.length === 0 ? Effect.void : Effect.fail(new SettingsInvalid({ problems }));
  });

function problemsOf(make: () => unknown): ReadonlyArray<string> {
  try {
    make();
    return [];
  } catch (error) {
    if (error instanceof SettingsInvalid) return error.problems;
    throw error;
  }
}
