/** When a group is evaluated: every interval, at an offset that its name gives, so that all rulers agree and groups spread over
 *  the interval. Pure; milliseconds since 1970. */

/** The first moment at or after `fromMs`. */
export function firstSlot(name: string, intervalMs: number, fromMs: number): number {
  const offset = hashOf(name) % intervalMs;
  return Math.ceil((fromMs - offset) / intervalMs) * intervalMs + offset;
}

/** The moment after `slot`, whose evaluation ended at `nowMs`; those that passed meanwhile but for the last are missed. */
export function nextSlot(
  slot: number,
  intervalMs: number,
  nowMs: number,
): { readonly slot: number; readonly missed: number } {
  const passed = Math.floor((nowMs - slot) / intervalMs);
  return passed < 1
    ? { slot: slot + intervalMs, missed: 0 }
    : { slot: slot + passed * intervalMs, missed: passed - 1 };
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
