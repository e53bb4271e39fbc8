/** `docker_sd_configs`: the logs of containers, found and read through Docker's API. Owns which containers are read: those that
 *  run, those that start while we run, however short they live, and those whose log was being read when we stopped.
 *  Containers are looked for every refresh_interval, and at once when Docker tells of one that starts or ends. */
import { Effect, Layer } from "effect";
import { systemNowMs } from "../../../platform/clock.ts";
import { errorText } from "../../../platform/files.ts";
import type { DockerSdConfig } from "../../config/scrapeConfig.ts";
import { Signal } from "../../delivery/signal.ts";
import { type Job, Lines } from "../../Lines.ts";
import { CursorTrail } from "../../positions/CursorTrail.ts";
import { isFilePosition } from "../../positions/position.ts";
import type { PromtailPositionsFile } from "../../positions/positionsFile.ts";
import { promtailCursors } from "../../positions/promtailCursors.ts";
import type { SourceState } from "../../sourceState.ts";
import { containerLabels, type DockerContainer } from "./containerLabels.ts";
import { ContainerLog } from "./ContainerLog.ts";
import { DockerEngine } from "./DockerEngine.ts";

/** Between two tries to hear of events. */
const pauseMs = 2_000;

/** Reads containers for all jobs that ask for it. `positionsFile` is Promtail's. Fails if a host is no address. */
export const dockerLayer = (positionsFile: PromtailPositionsFile) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const lines = yield* Lines;
      if (!lines.jobs.some((job) => job.config.docker_sd_configs.length > 0)) return;
      const migrated = yield* promtailCursors(positionsFile, lines.positions);
      for (const job of lines.jobs) {
        for (const config of job.config.docker_sd_configs) {
          yield* read(lines, job, config, migrated);
        }
      }
    }),
  );

const read = Effect.fnUntraced(function* (
  lines: Lines["Service"],
  job: Job,
  config: DockerSdConfig,
  migrated: ReadonlyMap<string, string>,
) {
  const containers = yield* Effect.try({
    try: () => new Containers(lines, job, config, migrated),
    catch: (error) => new Error(`scrape config "${job.name}": ${(error as Error).message}`),
  });
  lines.sources.add(containers.state);
  const { host } = config;
  let isFailing = false;
  const refresh = Effect.promise((signal) => containers.refresh(signal)).pipe(
    Effect.flatMap((problem) => {
      containers.state.problem = problem;
      if ((problem !== undefined) === isFailing) return Effect.void;
      isFailing = problem !== undefined;
      return isFailing
        ? Effect.logWarning(`Docker at ${host} cannot be asked for containers: ${problem}`)
        : Effect.logInfo(`Docker at ${host} answers again`);
    }),
  );
  const waited = Effect.promise((signal) => containers.changed(signal)).pipe(
    Effect.timeoutOption(config.refresh_interval),
  );
  yield* Effect.addFinalizer(() => Effect.sync(() => containers.stop()));
  yield* Effect.forkScoped(refresh.pipe(Effect.andThen(waited), Effect.forever));
  yield* Effect.forkScoped(
    Effect.promise((signal) => containers.listen(signal)).pipe(
      Effect.andThen(Effect.sleep(pauseMs)),
      Effect.forever,
    ),
  );
});

class Containers {
  readonly state: SourceState;
  readonly #lines: Lines["Service"];
  readonly #job: Job;
  readonly #config: DockerSdConfig;
  readonly #migrated: ReadonlyMap<string, string>;
  readonly #engine: DockerEngine;
  readonly #changed = new Signal();
  readonly #end = new AbortController();
  /** By container: its log, while it is read. */
  readonly #logs = new Map<string, ContainerLog>();
  /** Where containers that are not read at the moment were left. */
  readonly #left = new Map<string, CursorTrail>();
  readonly #running = new Set<string>();
  /** All that the last look found. */
  #present: ReadonlySet<string> = new Set();
  /** Containers that have stopped and whose log has been read to its end. */
  readonly #finished = new Set<string>();
  /** Set once the containers are known that there were before us. */
  #old: ReadonlySet<string> | undefined;

  constructor(
    lines: Lines["Service"],
    job: Job,
    config: DockerSdConfig,
    migrated: ReadonlyMap<string, string>,
  ) {
    this.#lines = lines;
    this.#job = job;
    this.#config = config;
    this.#migrated = migrated;
    this.#engine = new DockerEngine(config);
    for (const position of lines.positions.values()) {
      const id = this.#containerOf(position.id);
      if (id === undefined || isFilePosition(position)) continue;
      this.#left.set(id, new CursorTrail(position.id, position.cursor));
    }
    this.state = {
      job: job.name,
      kind: "docker",
      where: config.host,
      isReady: false,
      detail: () => this.#detail(),
    };
  }

  /** Resolves at the next change that Docker tells, or when nobody waits for it any more. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#changed.wait(signal);
  }

  /** Listens for changes until that fails. */
  async listen(signal: AbortSignal): Promise<void> {
    try {
      for await (const _ of this.#engine.changes(signal)) this.#changed.notify();
    } catch {
      // A refresh tells the same.
    }
  }

  /** Looks for containers and reads those that are to be read. Resolves with what is wrong, if something is. */
  async refresh(signal: AbortSignal): Promise<string | undefined> {
    try {
      const containers = await this.#engine.containers(signal);
      const networks = await this.#engine.networks(signal);
      this.#running.clear();
      this.#present = new Set(containers.map(({ Id }) => Id));
      for (const { Id, State } of containers) {
        if (State === "running" || State === "paused") this.#running.add(Id);
      }
      this.#old ??= new Set(containers.map(({ Id }) => Id).filter((id) => !this.#running.has(id)));
      for (const container of containers) {
        if (!this.#isWanted(container.Id)) continue;
        const [labels] = containerLabels(container, containers, networks, this.#config);
        if (labels !== undefined) this.#start(container, labels);
      }
      this.#forget();
      this.state.isReady = true;
      return undefined;
    } catch (error) {
      return errorText(error);
    }
  }

  /** No line is handed over after this. */
  stop(): void {
    this.#end.abort();
  }

  #isWanted(id: string): boolean {
    if (this.#logs.has(id)) return false;
    if (this.#running.has(id)) return true;
    if (this.#finished.has(id)) return false;
    return this.#left.has(id) || this.#old?.has(id) !== true;
  }

  #start(container: DockerContainer, labels: ReadonlyMap<string, string>): void {
    const { Id: id } = container;
    const trail = this.#left.get(id) ??
      new CursorTrail(this.#positionId(id), this.#migrated.get(id));
    this.#left.delete(id);
    const log = new ContainerLog({
      lines: this.#lines,
      job: this.#job,
      engine: this.#engine,
      containerId: id,
      trail,
      labels,
      isRunning: () => this.#running.has(id),
      isPresent: () => this.#present.has(id),
    });
    this.#logs.set(id, log);
    this.#finished.delete(id);
    void log.run(this.#end.signal).then(() => {
      this.#logs.delete(id);
      this.#left.set(id, trail);
      this.#finished.add(id);
    });
  }

  /** Containers that are no more do not come back under their id: their positions are given up. */
  #forget(): void {
    for (const [id, trail] of this.#left) {
      if (this.#present.has(id)) continue;
      this.#left.delete(id);
      this.#finished.delete(id);
      const { last } = trail;
      if (last === undefined) continue;
      const position = { id: trail.id, cursor: last, finishedMs: systemNowMs() };
      this.#lines.intake.moved({ id: trail.id, positionBefore: () => position });
    }
  }

  #positionId(container: string): string {
    return `docker/${this.#job.name}/${this.#config.host}/${container}`;
  }

  #containerOf(positionId: string): string | undefined {
    const prefix = this.#positionId("");
    return positionId.startsWith(prefix) ? positionId.slice(prefix.length) : undefined;
  }

  #detail(): string {
    const shown = Array.from(
      this.#logs.values(),
      (log) =>
        `${log.containerId.slice(0, 12)} ${log.labelsText}: ${log.lineCount} lines` +
        (log.problem === undefined ? "" : ` (${log.problem})`),
    );
    return `${shown.length} containers; ${shown.slice(0, 100).join("; ")}`;
  }
}
