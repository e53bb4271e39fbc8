/** What a pipeline stage is, and what a pipeline offers to the sources that feed it. Each stage has
 *  a file of its own here; registry.ts lists them, compile.ts chains them.
 *  A stage changes the entry in place and says whether it goes on. A stage that holds entries back
 *  (multiline, cri) answers "drop" for what it took and later hands a joined entry to `emit`, which
 *  runs the stages after it. All is synchronous and single-threaded.
 *  Invariant: what a stage holds back is bounded, is visible to `eachHeld`, and leaves with `tick`,
 *  `flush` or `flushOrigin`. */
import type { ConfigPath } from "../../platform/yaml/problem.ts";
import type { StageEntry } from "./entry.ts";
import type { StageMetrics } from "./stageMetrics.ts";

export type Verdict = typeof keep | typeof drop;
/** The entry goes on to the next stage. */
export const keep = true;
/** The entry goes no further; or the stage has taken what it needs of it. */
export const drop = false;

/** Receives an entry that passed all stages. The entry is used again as soon as this returns. */
export type EntrySink = (entry: StageEntry) => void;

/** Sees where a line that is held back came from: an origin and where it began there. */
export type HeldVisitor = (origin: object, offset: number) => void;

export interface Stage {
  apply(entry: StageEntry): Verdict;
  /** Emits what has waited long enough. */
  readonly tick?: (nowMs: number) => void;
  /** Emits all that is held back, or all of one origin. */
  readonly flush?: (origin: object | null) => void;
  /** Joins what is held of an origin that is over with the lines of the one that follows it. Stages that hold entries
   *  back have it. */
  readonly follow?: ((origin: object, next: object) => void) | undefined;
  readonly eachHeld?: (visit: HeldVisitor) => void;
}

/** A job's stages. One pipeline may serve many origins; their lines are not mixed. */
export interface StagePipeline {
  /** Runs one entry through all stages; the sink has got what comes out of them on return. */
  process(entry: StageEntry): void;
  /** To be called about every 100 ms: emits held entries whose time is over. */
  tick(nowMs: number): void;
  /** At stop: emits everything held back. */
  flush(): void;
  /** When an origin ended (a file was deleted, a connection closed): emits what is held of it. */
  flushOrigin(origin: object): void;
  /** When an origin is over and `next`, which has had no lines yet, goes on where it ended (a log was rotated): what is
   *  held waits for the lines of `next`. */
  follow(origin: object, next: object): void;
  /** Whether lines are joined, so that it matters which origin follows which. */
  readonly joinsLines: boolean;
  /** Visits each line that is held back now: a position must not advance beyond the least offset of its
   *  origin, since those lines are in no emitted entry yet. */
  eachHeld(visit: HeldVisitor): void;
  /** Wall clock in ms before which sources should feed nothing: how a `limit` stage that does not
   *  drop slows its sources down. 0 if nothing ever asked for it. */
  readonly pausedUntilMs: number;
}

/** Stages within a stage. */
export interface NestedStages {
  run(entry: StageEntry): Verdict;
  tick(nowMs: number): void;
  flush(origin: object | null): void;
  follow(origin: object, next: object): void;
  readonly joinsLines: boolean;
  eachHeld(visit: HeldVisitor): void;
}

/** What stages need from the process. */
export interface StageEnvironment {
  /** Names the pipeline in metrics and messages. */
  readonly jobName: string;
  readonly metrics: StageMetrics;
  /** Wall clock in ms; the default is the system's. */
  readonly nowMs?: () => number;
  /** From 0 to 1, for sampling; the default is Math.random. */
  readonly random?: () => number;
}

/** What compiling one stage gets besides its configuration. */
export interface StageContext {
  readonly jobName: string;
  readonly metrics: StageMetrics;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** Runs the stages after this one; for stages that hold entries back. */
  readonly emit: EntrySink;
  /** Whether a later stage may use the extracted value `name`. A stage may leave out what nobody
   *  will ask for. */
  readonly isWanted: (name: string) => boolean;
  /** Records a mistake at `path` below this stage. The pipeline will not run then, so compiling
   *  goes on with anything, to find the other mistakes. */
  readonly problem: (path: ConfigPath, message: string) => void;
  /** Compiles stages that stand at `path` below this stage. */
  readonly nested: (
    stages: ReadonlyArray<Readonly<Record<string, unknown>>>,
    path: ConfigPath,
  ) => NestedStages;
  /** Asks sources to feed nothing before that time. */
  readonly pauseUntil: (ms: number) => void;
}
