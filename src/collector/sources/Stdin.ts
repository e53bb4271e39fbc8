/** `--stdin`: collects standard input until it ends, through the first job's pipeline, with the labels of its static
 *  targets. Owns nothing on disk: what was read before a crash is in the disk buffer or with the servers, the rest is
 *  the writer's to send again. */
import { Effect, Result } from "effect";
import { readInput, standardInput } from "../../platform/inputs.ts";
import type { CollectorConfig } from "../config/collectorConfig.ts";
import { type Job, Lines } from "../Lines.ts";
import { parseConfig } from "../config/load.ts";
import { LineCutter } from "../tailing/LineCutter.ts";
import { lineLimits } from "../tailing/lineLimits.ts";
import type { LineColumns, Origin } from "../tailing/lineSink.ts";

/** The configuration with the one job that standard input goes through. */
export function inputConfig(config: CollectorConfig): CollectorConfig {
  const [first] = config.scrape_configs.length > 0 ? config.scrape_configs : Result.getOrThrow(
    parseConfig({
      file: "--stdin",
      text: "scrape_configs: [{job_name: stdin, static_configs: [{labels: {job: stdin}}]}]",
      environment: null,
    }),
  ).scrape_configs;
  return { ...config, scrape_configs: first === undefined ? [] : [first] };
}

/** Ends when the input has ended and every client has done with its lines. Fails if it cannot be read. */
export const collectInput = (config: CollectorConfig) =>
  Effect.gen(function* () {
    const lines = yield* Lines;
    const [job] = lines.jobs;
    if (job === undefined) return;
    yield* Effect.tryPromise({
      try: () => read(lines, job, config),
      catch: (error) => error instanceof Error ? error : new Error(String(error)),
    });
    yield* Effect.promise(lines.durable);
    yield* Effect.promise(lines.delivered);
  });

async function read(lines: Lines["Service"], job: Job, config: CollectorConfig): Promise<void> {
  const given = job.config.static_configs.flatMap(({ labels }) => Object.entries(labels));
  const target = job.relabel(new Map(given));
  if (target === null) return;
  const stream = { pipeline: job.pipeline, labels: target.labels };
  const origin: Origin = { id: "stdin", positionBefore: () => undefined };
  const cutter = new LineCutter(lineLimits(config.limits_config));
  const counted = lines.metrics.series(lines.metrics.readLines, { path: "stdin" });
  const take = (columns: LineColumns) => {
    counted.value += columns.count;
    if (columns.count > 0) lines.intake.lines(columns, stream, origin);
  };
  for await (const part of readInput(standardInput, () => {})) {
    await lines.room();
    take(cutter.push(part));
  }
  take(cutter.end());
  job.pipeline.flushOrigin(origin);
}
