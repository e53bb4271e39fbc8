/** The names of LogQL's functions and what each demands. The metric parser checks against these
 *  tables, later stages look up here what a function may carry. Invariant: one row per function,
 *  none twice. */
import type { BinaryOp, RangeOp, VectorOp } from "./ast.ts";

export interface RangeFunction {
  /** How the function takes `| unwrap`. */
  readonly unwrap: "required" | "allowed" | "refused";
  readonly grouping: boolean;
  readonly parameter: boolean;
}

export const rangeFunctions: ReadonlyMap<string, RangeFunction & { readonly op: RangeOp }> =
  rangeTable({
    count_over_time: { unwrap: "refused", grouping: false, parameter: false },
    bytes_over_time: { unwrap: "refused", grouping: false, parameter: false },
    bytes_rate: { unwrap: "refused", grouping: false, parameter: false },
    rate: { unwrap: "allowed", grouping: false, parameter: false },
    absent_over_time: { unwrap: "allowed", grouping: false, parameter: false },
    rate_counter: { unwrap: "required", grouping: false, parameter: false },
    sum_over_time: { unwrap: "required", grouping: false, parameter: false },
    avg_over_time: { unwrap: "required", grouping: true, parameter: false },
    min_over_time: { unwrap: "required", grouping: true, parameter: false },
    max_over_time: { unwrap: "required", grouping: true, parameter: false },
    stdvar_over_time: { unwrap: "required", grouping: true, parameter: false },
    stddev_over_time: { unwrap: "required", grouping: true, parameter: false },
    first_over_time: { unwrap: "required", grouping: true, parameter: false },
    last_over_time: { unwrap: "required", grouping: true, parameter: false },
    quantile_over_time: { unwrap: "required", grouping: true, parameter: true },
  });

export interface VectorFunction {
  readonly grouping: boolean;
  /** The k of topk: a whole number above 0. */
  readonly parameter: boolean;
}

export const vectorFunctions: ReadonlyMap<string, VectorFunction & { readonly op: VectorOp }> =
  vectorTable({
    sum: { grouping: true, parameter: false },
    avg: { grouping: true, parameter: false },
    min: { grouping: true, parameter: false },
    max: { grouping: true, parameter: false },
    count: { grouping: true, parameter: false },
    stddev: { grouping: true, parameter: false },
    stdvar: { grouping: true, parameter: false },
    topk: { grouping: true, parameter: true },
    bottomk: { grouping: true, parameter: true },
    approx_topk: { grouping: false, parameter: true },
    sort: { grouping: false, parameter: false },
    sort_desc: { grouping: false, parameter: false },
  });

/** How tightly an operator binds, and whether `a ^ b ^ c` groups to the right. */
export interface BinaryOperator {
  readonly op: BinaryOp;
  readonly binding: number;
  readonly rightAssociative: boolean;
  readonly type: "set" | "comparison" | "arithmetic";
}

export const binaryOperators: ReadonlyMap<string, BinaryOperator> = new Map(
  ([
    [1, "set", "or"],
    [2, "set", "and", "unless"],
    [3, "comparison", "==", "!=", ">", ">=", "<", "<="],
    [4, "arithmetic", "+", "-"],
    [5, "arithmetic", "*", "/", "%"],
    [6, "arithmetic", "^"],
  ] as ReadonlyArray<readonly [number, BinaryOperator["type"], ...BinaryOp[]]>)
    .flatMap(([binding, type, ...ops]) =>
      ops.map((op) => [op, { op, binding, rightAssociative: op === "^", type }] as const)
    ),
);

/** Functions that other systems have, and what to write instead. */
export const foreignFunctions: Readonly<Record<string, string>> = {
  increase: "use sum_over_time(... | unwrap x [5m]) or count_over_time(...)",
  irate: "use rate(...)",
  absent: "use absent_over_time(...)",
  count_values: "use count by (label) (...)",
  quantile: "use quantile_over_time(0.99, ... | unwrap x [5m])",
  group: "use count by (label) (...)",
  label_join: "use label_format in the pipeline",
  count_distinct: "use count(count by (label) (...))",
  distinct: "use count by (label) (...)",
  histogram_quantile: "use quantile_over_time(0.99, ... | unwrap x [5m])",
  delta: "use last_over_time(...) - first_over_time(...)",
};

function rangeTable(
  rows: Readonly<Record<RangeOp, RangeFunction>>,
): ReadonlyMap<string, RangeFunction & { readonly op: RangeOp }> {
  return new Map(
    (Object.keys(rows) as RangeOp[]).map((op) => [op, { ...rows[op], op }]),
  );
}

function vectorTable(
  rows: Readonly<Record<VectorOp, VectorFunction>>,
): ReadonlyMap<string, VectorFunction & { readonly op: VectorOp }> {
  return new Map(
    (Object.keys(rows) as VectorOp[]).map((op) => [op, { ...rows[op], op }]),
  );
}
