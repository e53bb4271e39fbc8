/** The cursors that Promtail had kept in its positions.yaml (`cursor-<job or container>`): where sources without files go on when
 *  a node moves over. Read at the first start only. */
import { Effect } from "effect";
import { nodeDisk } from "../../platform/files.ts";
import { type PromtailPositionsFile, readPromtailPositions } from "./positionsFile.ts";
import type { Position } from "./position.ts";

/** By what Promtail called them, without `cursor-`. Fails with PositionsUnreadable. */
export const promtailCursors = Effect.fnUntraced(function* (
  file: PromtailPositionsFile,
  own: ReadonlyMap<string, Position>,
) {
  if (own.size > 0) return new Map<string, string>();
  const entries = yield* Effect.tryPromise({
    try: () => readPromtailPositions(nodeDisk, file),
    catch: (error) => error instanceof Error ? error : new Error(String(error)),
  });
  return new Map(
    entries.flatMap(({ key, value }) =>
      key.startsWith("cursor-") ? [[key.slice("cursor-".length), value] as const] : []
    ),
  );
});
