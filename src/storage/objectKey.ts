/** Which texts may name an object: no key can leave the place where objects are. Imports no Effect, for worker threads. */

/** Slash-separated segments of [A-Za-z0-9._=-], at most 200 characters each, never "." or ".."; at most 1000 characters in all. */
export function isObjectKey(key: string): boolean {
  return key.length <= 1000 &&
    key.split("/").every((segment) =>
      /^[A-Za-z0-9._=-]{1,200}$/.test(segment) && segment !== "." && segment !== ".."
    );
}
