/** Turns the `pipeline_stages` of a job into a pipeline. Owns the order of stages, nested stages, and
 *  telling all mistakes at once; each stage's file owns its stage. */
import { Result } from "effect";
import { systemNowMs } from "../../platform/clock.ts";
import { unknownKey } from "../../platform/yaml/decode.ts";
import { type ConfigPath, type ConfigProblem, formatPath } from "../../platform/yaml/problem.ts";
import type { StageEntry } from "./entry.ts";
import { stageDefinitions } from "./registry.ts";
import {
  drop,
  type EntrySink,
  type HeldVisitor,
  keep,
  type NestedStages,
  type Stage,
  type StageContext,
  type StageEnvironment,
  type StagePipeline,
  type Verdict,
} from "./stage.ts";
import type { PreparedStage } from "./stageDefinition.ts";
import { StageMetrics } from "./stageMetrics.ts";

/** Stages as written: each a map with the stage's name as its only key. */
export type StageConfigs = ReadonlyArray<Readonly<Record<string, unknown>>>;

/** Match stages within match stages, at most. */
const nestingMax = 32;

/** The pipeline cannot run; `problems` has every mistake in it. */
export class PipelineInvalid extends Error {
  override readonly name = "PipelineInvalid";
  readonly problems: ReadonlyArray<ConfigProblem>;

  constructor(problems: ReadonlyArray<ConfigProblem>) {
    super(problems.map(({ path, message }) => `${formatPath(path)}: ${message}`).join("\n"));
    this.problems = problems;
  }
}

/** A pipeline that hands what comes out to `sink`. `path` is where the stages stand in the file.
 *  Throws PipelineInvalid. */
export function compileStages(
  stages: StageConfigs,
  environment: StageEnvironment,
  sink: EntrySink,
  path: ConfigPath = ["pipeline_stages"],
): StagePipeline {
  const compiler = new Compiler(environment);
  const chain = compiler.chain(stages, path, sink, () => false, 0);
  if (compiler.problems.length > 0) throw new PipelineInvalid(compiler.problems);
  return {
    process: (entry) => {
      if (chain.run(entry)) sink(entry);
    },
    tick: (nowMs) => chain.tick(nowMs),
    flush: () => chain.flush(null),
    flushOrigin: (origin) => chain.flush(origin),
    follow: (origin, next) => chain.follow(origin, next),
    joinsLines: chain.joinsLines,
    eachHeld: (visit) => chain.eachHeld(visit),
    get pausedUntilMs() {
      return compiler.pausedUntilMs;
    },
  };
}

/** All mistakes of a pipeline, without running it. */
export function checkStages(stages: StageConfigs, path: ConfigPath): ReadonlyArray<ConfigProblem> {
  try {
    const environment = { jobName: "check", metrics: new StageMetrics() };
    compileStages(stages, environment, () => {}, path);
    return [];
  } catch (error) {
    if (error instanceof PipelineInvalid) return error.problems;
    throw error;
  }
}

/** The stages with their defaults. They must be free of mistakes. */
export function effectiveStages(stages: StageConfigs): StageConfigs {
  return prepareAll(stages, [], []).map(({ name, effective }) => ({ [name]: effective }));
}

/** Stages one after another. A line that a stage fails on goes on without it: its source would read it again, and all
 *  lines that it had just handed over, for ever. */
class StageChain implements NestedStages {
  readonly stages: ReadonlyArray<Stage>;
  readonly #onError: (stage: number) => void;

  constructor(stages: ReadonlyArray<Stage>, onError: (stage: number) => void) {
    this.stages = stages;
    this.#onError = onError;
  }

  run(entry: StageEntry): Verdict {
    return this.runFrom(entry, 0);
  }

  runFrom(entry: StageEntry, first: number): Verdict {
    const { stages } = this;
    for (let index = first;;) {
      try {
        for (; index < stages.length; index++) {
          if (stages[index]!.apply(entry) === drop) return drop;
        }
        return keep;
      } catch {
        this.#onError(index++);
      }
    }
  }

  tick(nowMs: number): void {
    for (const stage of this.stages) stage.tick?.(nowMs);
  }

  /** In order, so that what a stage emits is flushed out of the stages after it too. */
  flush(origin: object | null): void {
    for (const stage of this.stages) stage.flush?.(origin);
  }

  follow(origin: object, next: object): void {
    for (const stage of this.stages) stage.follow?.(origin, next);
  }

  get joinsLines(): boolean {
    return this.stages.some(({ follow }) => follow !== undefined);
  }

  eachHeld(visit: HeldVisitor): void {
    for (const stage of this.stages) stage.eachHeld?.(visit);
  }
}

class Compiler {
  readonly problems: ConfigProblem[] = [];
  pausedUntilMs = 0;
  readonly #environment: StageEnvironment;

  constructor(environment: StageEnvironment) {
    this.#environment = environment;
  }

  /** `sink` gets what stages that hold entries back emit through the end of this chain. */
  chain(
    configs: StageConfigs,
    path: ConfigPath,
    sink: EntrySink,
    isWantedAfter: (name: string) => boolean,
    depth: number,
  ): StageChain {
    if (depth > nestingMax) {
      this.problems.push({ path, message: `match stages are nested more than ${nestingMax} deep` });
      return new StageChain([], () => {});
    }
    const prepared = prepareAll(configs, path, this.problems);
    const stages: Stage[] = [];
    const { metrics } = this.#environment;
    const chain = new StageChain(stages, (index) => metrics.failed(prepared[index]!.name).value++);
    prepared.forEach((stage, index) => {
      const later = prepared.slice(index + 1);
      const isWanted = (name: string) =>
        isWantedAfter(name) ||
        later.some(({ reads }) => reads === "all" || reads.includes(name));
      const emit = (entry: StageEntry) => {
        if (chain.runFrom(entry, index + 1)) sink(entry);
      };
      stages.push(stage.compile(this.#context(stage.path, emit, isWanted, depth)));
    });
    return chain;
  }

  #context(
    path: ConfigPath,
    emit: EntrySink,
    isWanted: (name: string) => boolean,
    depth: number,
  ): StageContext {
    const { jobName, metrics, nowMs = systemNowMs, random = Math.random } = this.#environment;
    return {
      jobName,
      metrics,
      nowMs,
      random,
      emit,
      isWanted,
      problem: (below, message) => this.problems.push({ path: [...path, ...below], message }),
      nested: (stages, below) => this.chain(stages, [...path, ...below], emit, isWanted, depth + 1),
      pauseUntil: (ms) => {
        this.pausedUntilMs = Math.max(this.pausedUntilMs, ms);
      },
    };
  }
}

interface PlacedStage extends PreparedStage {
  readonly path: ConfigPath;
}

function prepareAll(
  configs: StageConfigs,
  path: ConfigPath,
  problems: ConfigProblem[],
): ReadonlyArray<PlacedStage> {
  return configs.flatMap((config, index) => {
    const names = Object.keys(config);
    const name = names[0];
    if (name === undefined || names.length > 1) {
      const found = name === undefined ? "none" : names.join(" and ");
      const message = `a stage is a map with the stage's name as its only key, found ${found}`;
      problems.push({ path: [...path, index], message });
      return [];
    }
    const stagePath = [...path, index, name];
    const definition = stageDefinitions.get(name);
    if (definition === undefined) {
      problems.push({ path: stagePath, message: unknownStage(stagePath) });
      return [];
    }
    const prepared = definition.prepare(config[name], stagePath);
    if (Result.isSuccess(prepared)) return [{ ...prepared.success, path: stagePath }];
    problems.push(...prepared.failure);
    return [];
  });
}

function unknownStage(path: ConfigPath): string {
  return unknownKey(path, [...stageDefinitions.keys()]).replace("key", "stage");
}
