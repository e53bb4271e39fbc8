/** A RuleStore in memory. */
import { Effect, Layer } from "effect";
import { RuleStore, type StoredRecord } from "../storage/RuleStore.ts";

export function memoryRuleStore(): Layer.Layer<RuleStore> {
  return Layer.sync(RuleStore, () => {
    const records = new Map<string, StoredRecord>();
    let last = 0;
    const put = (key: string, value: Uint8Array) => {
      records.set(key, { key, value, revision: ++last });
      return last;
    };
    return {
      list: (prefix) =>
        Effect.sync(() =>
          [...records.values()].filter(({ key }) => key.startsWith(prefix))
            .sort((a, b) => a.key < b.key ? -1 : 1)
        ),
      put: (key, value) => Effect.sync(() => put(key, value)),
      replace: (key, value, revision) =>
        Effect.sync(() =>
          (records.get(key)?.revision ?? 0) === revision ? put(key, value) : undefined
        ),
      remove: (key) => Effect.sync(() => records.delete(key)),
    };
  });
}
