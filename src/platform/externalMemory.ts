/** Gives memory outside V8's heap back in time: shared memory that was let go of, and short-lived buffers.
 *  V8 does not count a SharedArrayBuffer as weight of garbage: a thread that makes little other garbage keeps every buffer it
 *  ever saw, a gigabyte in a minute of pushes (measured on Node 24 and Deno 2.9). So whoever lets go of shared memory says how
 *  much, and each thread collects when that adds up. Needs --expose-gc, which bin/tailrace.mjs gives; without it memory is
 *  freed later. */

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

/** Bytes of short-lived buffers after which the young generation is collected. A scavenge takes under a millisecond and frees
 *  the buffers of what died; V8 by itself lets 64 MB and more of them pile up in each thread. */
const scavengeBytes = 8 * 1024 * 1024;

let discardedBytes = 0;

/** Says that this thread made a buffer of `bytes` outside V8's heap that it will soon let go of. */
export function willDiscard(bytes: number): void {
  discardedBytes += bytes;
  if (discardedBytes < scavengeBytes) return;
  discardedBytes = 0;
  (globalThis as { gc?: (options: { type: "minor" }) => void }).gc?.({ type: "minor" });
}
