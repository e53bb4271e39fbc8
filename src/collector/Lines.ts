/** What sources need, as a service: the intake for their lines, room to wait for, and how far they had got.
 *  Owns the turning of the intake's clock and the sealing of the last batch. */
import { Context, Effect, Layer } from "effect";
import { systemNowMs } from "../platform/clock.ts";
import { CollectorMetrics } from "./collectorMetrics.ts";
import type { CollectorConfig } from "./config/collectorConfig.ts";
import type { ScrapeConfig } from "./config/scrapeConfig.ts";
import { Delivery } from "./delivery/Delivery.ts";
import { EntryLimits } from "./EntryLimits.ts";
import { Intake, type IntakeOptions } from "./Intake.ts";
import type { Position } from "./positions/position.ts";
import { type RelabeledTarget, targetRelabeler } from "./relabel/targetLabels.ts";
import type { SourceState } from "./sourceState.ts";
import { compileStages } from "./stages/compile.ts";
import type { StageEntry } from "./stages/entry.ts";
import { LabelSet } from "./stages/labelSet.ts";
import type { StagePipeline } from "./stages/stage.ts";

/** One scrape config made ready. */
export interface Job {
  readonly name: string;
  readonly config: ScrapeConfig;
  readonly pipeline: StagePipeline;
  readonly relabel: (discovered: ReadonlyMap<string, string>) => RelabeledTarget | null;
}

const tickMs = 100;

export class Lines extends Context.Service<Lines, {
  readonly intake: Intake;
  /** What sources go on from, by id. */
  readonly positions: ReadonlyMap<string, Position>;
  /** Resolves when more lines may be handed over. */
  readonly room: () => Promise<void>;
  /** The same, or when the signal aborts: for sources that are told to stop. */
  readonly roomOrEnd: (signal: AbortSignal) => Promise<void>;
  readonly hasRoom: () => boolean;
  /** Seals what has been handed over and resolves when the disk buffer has it. */
  readonly durable: () => Promise<void>;
  /** Resolves when every client has done with all that is durable. */
  readonly delivered: () => Promise<void>;
  readonly metrics: CollectorMetrics;
  readonly jobs: ReadonlyArray<Job>;
  /** What sources say of themselves. */
  readonly sources: Set<SourceState>;
}>()("tailrace/collector/Lines") {
  /** Fails with PipelineInvalid only if the configuration was not checked. `admit` sees what comes out of
   *  pipelines, see Intake. */
  static readonly layer = (
    config: CollectorConfig,
    metrics: CollectorMetrics,
    admit?: IntakeOptions["admit"],
  ): Layer.Layer<Lines, never, Delivery> =>
    Layer.effect(
      Lines,
      Effect.gen(function* () {
        const delivery = yield* Delivery;
        const limits = new EntryLimits(config.limits_config, metrics, systemNowMs);
        const intake = intakeOf(
          config,
          delivery,
          (entry) => limits.admit(entry) && (admit === undefined || admit(entry)),
        );
        const jobs = config.scrape_configs.map((job) => jobOf(job, intake, metrics));
        yield* Effect.addFinalizer(() => Effect.sync(() => intake.seal()));
        const tick = Effect.sync(() => {
          if (delivery.hasRoom()) intake.tick();
        });
        yield* Effect.forkScoped(tick.pipe(Effect.delay(tickMs), Effect.forever));
        const room = async () => {
          await delivery.room();
          while (limits.waitMs > 0) await waited(limits.waitMs);
        };
        const hasRoom = () => delivery.hasRoom() && limits.waitMs === 0;
        return Lines.of({
          intake,
          positions: new Map(delivery.positions.map((position) => [position.id, position])),
          room,
          hasRoom,
          roomOrEnd: async (signal) => {
            if (!hasRoom()) await untilAborted(signal, room());
          },
          delivered: delivery.delivered,
          durable: () => {
            intake.seal();
            return delivery.durable();
          },
          metrics,
          jobs,
          sources: new Set(),
        });
      }),
    );
}

/** Batches are as large and as old as the most demanding client wants them. */
function intakeOf(
  { clients }: CollectorConfig,
  delivery: Delivery["Service"],
  admit: (entry: StageEntry) => boolean,
): Intake {
  const externals = new Map(clients.map(({ external_labels }) => {
    const labels = LabelSet.of(external_labels);
    return [labels.text, labels];
  }));
  return new Intake({
    externals: [...externals.values()],
    batchBytes: Math.min(...clients.map(({ batchsize }) => batchsize)),
    batchWaitMs: Math.min(...clients.map(({ batchwait }) => batchwait)),
    nowMs: systemNowMs,
    onSealed: delivery.submit,
    admit,
  });
}

function jobOf(config: ScrapeConfig, intake: Intake, metrics: CollectorMetrics): Job {
  const environment = { jobName: config.job_name, metrics: metrics.registry };
  return {
    name: config.job_name,
    config,
    pipeline: compileStages(config.pipeline_stages, environment, intake.add),
    relabel: targetRelabeler(config.relabel_configs),
  };
}

function waited(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves when `work` does or the signal aborts, whichever is first. */
function untilAborted(signal: AbortSignal, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
    work.then(done, reject);
  });
}
