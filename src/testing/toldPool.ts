/** A pool of two threads for tests of what drives jobs: each job is answered by the test, when and as it says. */
import type { Scanners } from "../actors/Scanners.ts";

/** Answers a job. */
type Answer = (result: unknown) => void;

/** The pool; `called` waits for its next job of a kind. */
export function toldPool(): {
  readonly pool: Scanners["Service"];
  readonly called: (kind: string) => Promise<Answer>;
} {
  const jobs = new Map<
    string,
    { readonly made: Answer[]; readonly waiting: Array<(answer: Answer) => void> }
  >();
  const of = (kind: string) => {
    let known = jobs.get(kind);
    if (known === undefined) jobs.set(kind, known = { made: [], waiting: [] });
    return known;
  };
  const run = <Result>(kind: string) =>
    new Promise<Result>((resolve) => {
      const answer = (result: unknown) => resolve(result as Result);
      const { made, waiting } = of(kind);
      const waiter = waiting.shift();
      if (waiter === undefined) made.push(answer);
      else waiter(answer);
    });
  const called = (kind: string) =>
    new Promise<Answer>((resolve) => {
      const { made, waiting } = of(kind);
      const answer = made.shift();
      if (answer === undefined) waiting.push(resolve);
      else resolve(answer);
    });
  return { pool: { threadCount: 2, run, compute: run }, called };
}
