/** Entry of every worker thread: builds and merges chunks, greps, aggregates, evaluates and counts. Imports no Effect, so that a
 *  thread starts fast and stays small. */
import { serveJobs, threadData } from "../../platform/workerHost.ts";
import { type ObjectReader, openObjectReader } from "../../storage/embedded/objectReader.ts";
import type { BuildJob } from "../protocol/build.ts";
import type { ScanJob } from "../protocol/scan.ts";
import type { AggregateJob } from "../protocol/aggregate.ts";
import type { EvaluateJob, MergeStatesJob, WindowsJob } from "../protocol/evaluate.ts";
import type { MergeJob } from "../protocol/merge.ts";
import { aggregate } from "./aggregateJob.ts";
import type { MeasureJob } from "../protocol/measure.ts";
import { build } from "./buildJob.ts";
import { evaluateQuery, mergeStates, windows } from "./evaluateJob.ts";
import { merge } from "./mergeJob.ts";
import { measure } from "./measureJob.ts";
import { scan } from "./scanJob.ts";

/** What the pool gives every thread. */
export interface WorkerData {
  /** Where segments lie. */
  readonly objectDirectory: string;
}

let reader: ObjectReader | undefined;

serveJobs({
  build: (job: BuildJob, context) => build(job, context),
  aggregate: (job: AggregateJob, context) => {
    reader ??= openObjectReader(threadData<WorkerData>().objectDirectory);
    return aggregate(job, reader, context);
  },
  mergeStates: (job: MergeStatesJob, context) => mergeStates(job, context),
  windows: (job: WindowsJob, context) => windows(job, context),
  evaluate: (job: EvaluateJob, context) => evaluateQuery(job, context),
  measure: (job: MeasureJob, context) => {
    reader ??= openObjectReader(threadData<WorkerData>().objectDirectory);
    return measure(job, reader, context);
  },
  merge: (job: MergeJob, context) => {
    reader ??= openObjectReader(threadData<WorkerData>().objectDirectory);
    return merge(job, reader, context);
  },
  scan: (job: ScanJob, context) => {
    reader ??= openObjectReader(threadData<WorkerData>().objectDirectory);
    return scan(job, reader, context);
  },
});
