/** What must hold in every simulated run, each with an id that messages and documents share. Pure checks over what was seen.
 *
 *    TR-1  an answer has every line that was acknowledged before the question, once
 *    TR-2  an answer has no line that was never sent
 *    TR-3  no record is in a partition's log at two offsets
 *    TR-4  the committed segments of a partition are one chain without gap or overlap
 *    TR-5  when faults are over, everything is acknowledged, answered and flushed within a bounded time */
import type { StoredOp, StreamMessage } from "./SimulatedStream.ts";

export interface Violation {
  readonly id: "TR-1" | "TR-2" | "TR-3" | "TR-4" | "TR-5";
  readonly message: string;
}

/** TR-1 and TR-2 for the lines of one writer. */
export function checkAnswer(
  found: ReadonlyArray<string>,
  lineOf: (number: number) => string,
  acknowledged: number,
  sent: number,
): ReadonlyArray<Violation> {
  const counts = new Map<string, number>();
  for (const line of found) counts.set(line, (counts.get(line) ?? 0) + 1);
  const violations: Violation[] = [];
  for (let number = 0; number < sent; number++) {
    const line = lineOf(number);
    const count = counts.get(line) ?? 0;
    counts.delete(line);
    if (count > 1) violations.push({ id: "TR-1", message: `"${line}" came ${count} times` });
    if (count === 0 && number < acknowledged) {
      violations.push({ id: "TR-1", message: `"${line}" is missing of ${acknowledged}` });
    }
  }
  for (const line of counts.keys()) {
    violations.push({ id: "TR-2", message: `"${line}" was never sent` });
  }
  return violations;
}

/** TR-3. `forgotten` are ids that no server could know any more when they came again. */
export function checkLog(
  ops: ReadonlyArray<StoredOp>,
  digestOf: (data: Uint8Array) => string,
  forgotten: ReadonlySet<string>,
): ReadonlyArray<Violation> {
  const seen = new Map<string, number>();
  const violations: Violation[] = [];
  for (const op of ops) {
    if (op.kind !== "store" || forgotten.has(op.message.id)) continue;
    const key = digestOf(op.message.data);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, op.message.sequence);
    else {
      const message = `one record is at offsets ${first} and ${op.message.sequence}`;
      violations.push({ id: "TR-3", message });
    }
  }
  return violations;
}

/** TR-4, from the operations of the index's bucket: with each segment that is added, those that are there are one chain. */
export function checkSegments(ops: ReadonlyArray<StoredOp>): ReadonlyArray<Violation> {
  const segments = new Map<string, SegmentPlace>();
  const violations: Violation[] = [];
  for (const op of ops) {
    if (op.kind !== "store" || !op.message.subject.startsWith(segmentPrefix)) continue;
    const key = op.message.subject.slice(segmentPrefix.length);
    if (op.message.data.length === 0) {
      segments.delete(key);
      continue;
    }
    const added = placeOf(op.message);
    segments.set(key, added);
    const same = [...segments.values()].filter(({ partition }) => partition === added.partition);
    let next = 1;
    for (const { logFrom, logTo } of same.sort((a, b) => a.logFrom - b.logFrom)) {
      if (logFrom !== next) {
        const message =
          `with ${key} a segment begins at ${logFrom}, the one before ended at ${next}`;
        violations.push({ id: "TR-4", message });
      }
      next = Math.max(next, logTo);
    }
  }
  return violations;
}

/** How many segments took the place of others. */
export function countMerges(ops: ReadonlyArray<StoredOp>): number {
  const ends = new Map<number, number>();
  let count = 0;
  for (const op of ops) {
    if (op.kind !== "store" || !op.message.subject.startsWith(segmentPrefix)) continue;
    if (op.message.data.length === 0) continue;
    const { partition, logFrom, logTo } = placeOf(op.message);
    if (logFrom < (ends.get(partition) ?? 1)) count++;
    ends.set(partition, Math.max(logTo, ends.get(partition) ?? 1));
  }
  return count;
}

const segmentPrefix = "$KV.tailrace_index.segment.";

function placeOf({ data }: StreamMessage): SegmentPlace {
  return JSON.parse(new TextDecoder().decode(data)) as SegmentPlace;
}

interface SegmentPlace {
  readonly partition: number;
  readonly logFrom: number;
  readonly logTo: number;
}
