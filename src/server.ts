/** The server: every role of the target in one process. */
import { Effect } from "effect";
import type { Settings } from "./platform/config/mod.ts";

/** Runs until interrupted. */
export function serve(_settings: Settings): Effect.Effect<void> {
  return Effect.never;
}
