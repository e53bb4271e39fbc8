/** Which states a range aggregation folds rows into and how a window's result follows from them. Owns
 *  the table; each family's arithmetic is in the file beside this one. */
import type { RangeOp } from "../../ast.ts";
import { CounterStates } from "./counterStates.ts";
import { EdgeStates } from "./edgeStates.ts";
import { ExtremeStates } from "./extremeStates.ts";
import { MomentStates } from "./momentStates.ts";
import { QuantileStates } from "./quantileStates.ts";
import type { RangeStates } from "./rangeStates.ts";
import { SumStates } from "./sumStates.ts";
import { TotalStates } from "./totalStates.ts";

/** What of a row is folded: that it is there, its line's bytes, or the unwrapped value. */
export type RowValue = "one" | "bytes" | "unwrapped";

/** A function of the rows of a window; plain data, for crossing into worker threads. */
export interface RangeFunctionSpec {
  readonly op: RangeOp;
  /** The quantile. */
  readonly parameter: number | null;
  readonly unwraps: boolean;
}

/** What the function takes of each row. */
export function rowValueOf({ op, unwraps }: RangeFunctionSpec): RowValue {
  if (op === "bytes_over_time" || op === "bytes_rate") return "bytes";
  return unwraps && op !== "absent_over_time" ? "unwrapped" : "one";
}

/** Empty states for the function. `valuesMax` bounds what is kept value by value. */
export function makeStates(spec: RangeFunctionSpec, valuesMax: number): RangeStates {
  switch (spec.op) {
    case "rate":
      return spec.unwraps ? new SumStates("sum") : new TotalStates();
    case "count_over_time":
    case "bytes_over_time":
    case "bytes_rate":
    case "absent_over_time":
      return new TotalStates();
    case "sum_over_time":
      return new SumStates("sum");
    case "avg_over_time":
      return new SumStates("mean");
    case "min_over_time":
      return new ExtremeStates("least");
    case "max_over_time":
      return new ExtremeStates("greatest");
    case "stdvar_over_time":
      return new MomentStates("variance");
    case "stddev_over_time":
      return new MomentStates("deviation");
    case "first_over_time":
      return new EdgeStates("first");
    case "last_over_time":
      return new EdgeStates("last");
    case "quantile_over_time":
      return new QuantileStates(spec.parameter ?? NaN, valuesMax);
    case "rate_counter":
      return new CounterStates(valuesMax);
  }
}

/** Whether a window's result is divided by its seconds. */
export function isPerSecond(op: RangeOp): boolean {
  return op === "rate" || op === "bytes_rate" || op === "rate_counter";
}
