/** The subjects on which processes ask each other. streams.ts owns those that are stored. */

/** Asks the owner of a partition for its unflushed rows. */
export function headSubject(partition: number): string {
  return `tailrace.head.${partition}`;
}

/** Asks the owner of a partition to cut a segment of everything it has. */
export function flushSubject(partition: number): string {
  return `tailrace.flush.${partition}`;
}

/** Asks one querier to run a job. */
export function scanSubject(querier: string): string {
  return `tailrace.scan.${querier}`;
}

/** Asks any querier what a rule wants to know. */
export const rulesSubject = "tailrace.rules";
