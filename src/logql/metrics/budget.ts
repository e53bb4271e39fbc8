/** What evaluating the tree of a metric query may hold and do. Operators ask before they make series or look at many; the walk
 *  (evaluate.ts) says when operands are gone. Counts samples; the text of labels counts as samples of eight characters each.
 *  Invariant: between two looks at `checkpoint` lies the work of one operator on one series, or a bounded number of samples. */
import type { Labels } from "../../streams/labels.ts";
import { MetricLimitReached } from "./cells.ts";
import type { Evaluated, Matrix } from "./matrix.ts";

/** How many times max_query_samples the results of operators may hold at once: two of the largest size, and their result. */
const heldFactor = 4;
/** How many times max_query_samples operators may work through in all: about ten seconds of one thread by default. */
const workFactor = 50;
/** Labels and small operators must be possible whatever the limit. */
const samplesMin = 10_000;

export class Budget {
  readonly #samplesMax: number;
  readonly #checkpoint: () => void;
  #held = 0;
  #worked = 0;

  /** `checkpoint` throws when nobody waits for the result any more. */
  constructor(samplesMax: number, checkpoint: () => void) {
    this.#samplesMax = samplesMax;
    this.#checkpoint = checkpoint;
  }

  /** Samples that results of operators hold now. */
  get held(): number {
    return this.#held;
  }

  /** Before samples are looked at. Throws MetricLimitReached, or what the checkpoint throws. */
  work(samples: number): void {
    this.#checkpoint();
    this.#worked += samples;
    const most = workFactor * Math.max(samplesMin, this.#samplesMax);
    if (this.#worked > most) {
      throw new MetricLimitReached(
        `the operators of the query would work through more than ${most} samples, which follows from ` +
          `limits_config.max_query_samples (${this.#samplesMax}): ${remedy}`,
      );
    }
  }

  /** Before series are made. Throws MetricLimitReached, or what the checkpoint throws. */
  hold(samples: number): void {
    this.work(samples);
    this.#held += samples;
    const most = heldFactor * Math.max(samplesMin, this.#samplesMax);
    if (this.#held > most) {
      throw new MetricLimitReached(
        `the operators of the query would hold more than ${most} samples at once, which follows from ` +
          `limits_config.max_query_samples (${this.#samplesMax}): ${remedy}`,
      );
    }
  }

  /** Only so much is left of what was held. */
  settle(samples: number): void {
    this.#held = samples;
  }
}

const remedy = "use fewer operators, aggregate before combining, as in sum by (app) (...), use a " +
  "larger step or a shorter time range, or raise that limit";

/** Samples that a result holds. */
export function sizeOf(value: Evaluated): number {
  return value.kind === "scalar" ? 0 : matrixSize(value);
}

function matrixSize({ series }: Matrix): number {
  let size = 0;
  for (const { labels, values } of series) size += seriesSize(labels, values.length);
  return size;
}

/** Samples that a series of so many steps counts for. */
export function seriesSize(labels: Labels, stepCount: number): number {
  let text = 0;
  for (const [name, value] of labels) text += name.length + value.length;
  return stepCount + labels.length + (text >>> 3);
}
