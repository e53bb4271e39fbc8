/** Gives shared memory back in time. V8 does not count a SharedArrayBuffer as weight of garbage: a thread that makes little other
 *  garbage keeps every buffer it ever saw, a gigabyte in a minute of pushes (measured on Node 24 and Deno 2.9). So whoever
 *  lets go of shared memory says how much, and each thread collects when that adds up. Needs --expose-gc, which
 *  bin/tailrace.mjs gives; without it memory is freed later. */

/** Bytes let go of that are worth a collection: tens of milliseconds on the main thread, a few on a worker. */
const collectBytes = 48 * 1024 * 1024;

let releasedBytes = 0;

/** Says that this thread no longer needs `bytes` of shared memory. */
export function releaseShared(bytes: number): void {
  releasedBytes += bytes;
  if (releasedBytes < collectBytes) return;
  releasedBytes = 0;
  // Later, when the last references are gone from the stack and from mailboxes.
  setTimeout(() => (globalThis as { gc?: () => void }).gc?.(), 20);
}
