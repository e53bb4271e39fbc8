/** Decides when a partition cuts a segment. Pure. */

export interface CutPolicy {
  /** Unflushed bytes in memory at which a segment is cut. */
  readonly segmentBytesTarget: number;
  /** Age of the oldest unflushed batch at which a segment is cut, milliseconds since it was received. */
  readonly segmentAgeMsMax: number;
}

/** Unflushed rows that no running cut covers. */
export interface Uncut {
  readonly bytes: number;
  /** When the oldest batch came, ms; undefined when there is none. */
  readonly oldestMs: number | undefined;
}

export function shouldCut(policy: CutPolicy, uncut: Uncut, nowMs: number): boolean {
  if (uncut.oldestMs === undefined) return false;
  return uncut.bytes >= policy.segmentBytesTarget ||
    nowMs - uncut.oldestMs >= policy.segmentAgeMsMax;
}
