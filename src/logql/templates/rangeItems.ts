/** What range goes over: lists, maps in the order of their keys, and integers from 0. */
import { TemplateFailed } from "./error.ts";
import { isList, sortedKeys, typeName, type Value } from "./value.ts";

/** Keys with items. `names` is how many variables take them. */
export function* rangeItems(value: Value, names: number): Iterable<readonly [Value, Value]> {
  if (value === null) return;
  if (isList(value)) {
    for (const [index, item] of value.entries()) yield [BigInt(index), item];
  } else if (value instanceof Map) {
    const map = value as ReadonlyMap<string, Value>;
    for (const key of sortedKeys(map)) yield [key, map.get(key)!];
  } else if (typeof value === "bigint") {
    if (names > 1) throw new TemplateFailed("range over an integer has one variable, not two");
    for (let item = 0n; item < value; item++) yield [item, item];
  } else {
    throw new TemplateFailed(
      `cannot range over ${typeName(value)}; only over a list, a map or an integer`,
    );
  }
}
