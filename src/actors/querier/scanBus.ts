/** Scan jobs among the queriers of a cluster. A job that reads stored chunks goes to the querier
 *  whose cache should have its segment; when that one fails, is gone or is slow, it runs here. So
 *  an answer is complete or its query fails, whoever dies.
 *  Owns who is there and the choice; Scanners.ts says what a job is, frames.ts how answers travel. */
import { Effect, Schedule } from "effect";
import { answerInFrames, requestFrames } from "../../cluster/frames.ts";
import { Leases, membersOf, renewEveryMs } from "../../cluster/Leases.ts";
import type { MicroService } from "../../cluster/microService.ts";
import type { NatsLink } from "../../cluster/Nats.ts";
import { scanSubject } from "../../cluster/subjects.ts";
import { decodeStructured, encodeStructured } from "../../platform/structured.ts";
import type { JobOptions } from "../../platform/workerPool.ts";
import { bestMember } from "../policy/ownership.ts";
import type { Scanners, UnitsJob } from "../Scanners.ts";

/** Not a byte by then: the same job starts here too, and the first answer counts. */
const hedgeMs = 2000;
/** A scan sends nothing while it runs. */
const idleMs = 30_000;
/** An answer holds what one job may answer; the query's own limits are far below. */
const answerBytesMax = 256 * 1024 * 1024;
/** Jobs that other queriers may ask of this one. */
const kinds = new Set(["scan", "aggregate"]);

/** Scanners that share their jobs with the other queriers of the cluster, and serve theirs, until the scope closes. A process
 *  that `takesJobs` not runs only what it must: jobs with unflushed rows, and those that no querier does in time. */
export const shareScans = Effect.fnUntraced(function* (
  link: NatsLink,
  service: MicroService,
  local: Scanners["Service"],
  takesJobs: boolean,
) {
  const leases = yield* Effect.promise(() => Leases.open(link));
  const me = service.id;
  let members: ReadonlyArray<string> = takesJobs ? [me] : [];
  const renew = Effect.gen(function* () {
    if (takesJobs) yield* Effect.tryPromise(() => leases.put(`querier.${me}`, "ready"));
    const entries = yield* Effect.tryPromise(() => leases.list());
    members = membersOf(entries, "querier");
  });
  yield* renew.pipe(
    Effect.ignore,
    Effect.repeat(Schedule.spaced(renewEveryMs)),
    Effect.forkScoped,
  );
  const serving = Effect.acquireRelease(
    Effect.sync(() =>
      service.serve(
        { name: "scan", subject: scanSubject(me) },
        (message) =>
          answerInFrames(link, message, async (signal) => {
            const { kind, job } = decodeStructured(message.data) as Asked;
            if (!kinds.has(kind)) throw new Error(`a querier runs no job of kind "${kind}"`);
            return [encodeStructured(await local.run(kind, job, { signal }))];
          }),
      )
    ),
    (stop) => Effect.sync(stop),
  ).pipe(
    Effect.andThen(
      Effect.addFinalizer(() =>
        Effect.tryPromise(() => leases.release(`querier.${me}`)).pipe(Effect.ignore)
      ),
    ),
  );
  if (takesJobs) yield* serving;

  const run = async <Result>(kind: string, job: UnitsJob, options: JobOptions) => {
    const chosen = chosenFor(job, members, me);
    if (chosen === me || !kinds.has(kind)) return await local.run<Result>(kind, job, options);
    const stop = new AbortController();
    const signal = options.signal === undefined
      ? stop.signal
      : AbortSignal.any([options.signal, stop.signal]);
    const remote = ask<Result>(link, chosen, { kind, job }, signal);
    try {
      const early = await Promise.race([remote, sleep(hedgeMs)]).catch(() => undefined);
      if (early !== undefined) return early;
      options.signal?.throwIfAborted();
      const here = local.run<Result>(kind, job, { ...options, signal });
      // If neither can, it is the error from here that counts, which has its own type when it is the query's fault.
      return await Promise.any([here, remote]).catch(() => here);
    } finally {
      stop.abort();
    }
  };
  return {
    get threadCount() {
      return local.threadCount * Math.max(1, members.length);
    },
    run,
    compute: local.compute,
  } satisfies Scanners["Service"];
});

interface Asked {
  readonly kind: string;
  readonly job: UnitsJob;
}

/** Whose cache should have what the job reads. A job with unflushed rows carries them, and stays. */
function chosenFor(job: UnitsJob, members: ReadonlyArray<string>, me: string): string {
  const isLocal = job.units.some(({ sources }) => sources.some((source) => !("chunk" in source)));
  const first = job.units[0]?.sources[0];
  if (isLocal || first === undefined || !("chunk" in first)) return me;
  return bestMember(members, first.chunk.key) ?? me;
}

async function ask<Result>(
  link: NatsLink,
  querier: string,
  asked: Asked,
  signal: AbortSignal,
): Promise<Result> {
  const payload = encodeStructured(asked);
  if (payload.length > link.messageBytesMax - 1024) throw new Error("the job is too large to send");
  const request = { subject: scanSubject(querier), payload, idleMs, bytesMax: answerBytesMax };
  const [answer] = await requestFrames(link, { ...request, signal });
  if (answer === undefined) throw new Error(`querier ${querier} answered nothing`);
  return decodeStructured(answer) as Result;
}

function sleep(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds));
}
