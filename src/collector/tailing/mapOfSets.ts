/** Maps from a key to several values, and the taking out of what is still there. */

export function addTo<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, new Set([value]));
  else known.add(value);
}

export function deleteFrom<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const known = map.get(key);
  known?.delete(value);
  if (known?.size === 0) map.delete(key);
}

export function deleteIf<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  if (map.get(key) === value) map.delete(key);
}
