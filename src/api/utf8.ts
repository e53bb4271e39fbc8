/** What answers are made of: texts, and JSON that is UTF-8 already. */

/** All of it as UTF-8. */
export function utf8Of(parts: ReadonlyArray<string | Uint8Array>): ReadonlyArray<Uint8Array> {
  return parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
}

export function bytesOf(parts: ReadonlyArray<Uint8Array>): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

const encoder = new TextEncoder();
