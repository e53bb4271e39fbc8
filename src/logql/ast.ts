/** The syntax tree of LogQL: plain data, so that it survives structured cloning into worker
 *  threads. parser.ts builds it, printer.ts writes it back. Invariant: every node says where it
 *  stood in the query (`span`), and a tree without its spans means the same wherever it came from.
 *  Durations are bigint nanoseconds, sizes bytes. */
import type { MatchOp } from "../streams/matcher.ts";

export type { MatchOp };

/** Half-open range of the query text in UTF-16 units, as String.slice takes them. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

interface Node {
  readonly span: Span;
}

/** A whole query: one that returns lines, or one that returns samples. */
export type Expr = LogQuery | MetricExpr;

// ---- log queries ----

export interface LogQuery extends Node {
  readonly kind: "LogQuery";
  readonly selector: Selector;
  readonly pipeline: ReadonlyArray<Stage>;
}

export interface Selector extends Node {
  readonly kind: "Selector";
  readonly matchers: ReadonlyArray<LabelMatcher>;
}

/** `name op "value"`: in a selector, as a string label filter, and in drop and keep. */
export interface LabelMatcher extends Node {
  readonly kind: "LabelMatcher";
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

export type Stage =
  | LineFilter
  | JsonParser
  | LogfmtParser
  | PatternParser
  | RegexpParser
  | UnpackParser
  | LabelFilter
  | LineFormat
  | LabelFormat
  | Decolorize
  | DropLabels
  | KeepLabels;

export type LineFilterOp = "|=" | "!=" | "|~" | "!~" | "|>" | "!>";

/** `|= "a" or "b"`: a line passes a positive filter if any operand matches, a negative one if none
 *  does. */
export interface LineFilter extends Node {
  readonly kind: "LineFilter";
  readonly op: LineFilterOp;
  readonly operands: ReadonlyArray<LineFilterOperand>;
}

export interface LineFilterOperand extends Node {
  readonly kind: "LineFilterOperand";
  readonly type: "text" | "ip";
  readonly value: string;
}

/** `name="expression"`: what json and logfmt extract under which name. */
export interface Extraction extends Node {
  readonly kind: "Extraction";
  readonly name: string;
  readonly expression: string;
}

/** No extractions: every field becomes a label. */
export interface JsonParser extends Node {
  readonly kind: "JsonParser";
  readonly extractions: ReadonlyArray<Extraction>;
}

export interface LogfmtParser extends Node {
  readonly kind: "LogfmtParser";
  readonly strict: boolean;
  readonly keepEmpty: boolean;
  readonly extractions: ReadonlyArray<Extraction>;
}

export interface PatternParser extends Node {
  readonly kind: "PatternParser";
  readonly pattern: string;
}

export interface RegexpParser extends Node {
  readonly kind: "RegexpParser";
  readonly regex: string;
}

export interface UnpackParser extends Node {
  readonly kind: "UnpackParser";
}

export interface LineFormat extends Node {
  readonly kind: "LineFormat";
  readonly template: string;
}

export interface LabelFormat extends Node {
  readonly kind: "LabelFormat";
  readonly assignments: ReadonlyArray<LabelAssignment>;
}

/** `name=source` renames, `name="template"` sets. */
export interface LabelAssignment extends Node {
  readonly kind: "LabelAssignment";
  readonly name: string;
  readonly type: "rename" | "template";
  readonly source: string;
}

export interface Decolorize extends Node {
  readonly kind: "Decolorize";
}

export interface DropLabels extends Node {
  readonly kind: "DropLabels";
  readonly labels: ReadonlyArray<LabelName | LabelMatcher>;
}

export interface KeepLabels extends Node {
  readonly kind: "KeepLabels";
  readonly labels: ReadonlyArray<LabelName | LabelMatcher>;
}

export interface LabelName extends Node {
  readonly kind: "LabelName";
  readonly name: string;
}

// ---- label filters ----

export interface LabelFilter extends Node {
  readonly kind: "LabelFilter";
  readonly predicate: Predicate;
}

export type Predicate =
  | LabelMatcher
  | NumberPredicate
  | DurationPredicate
  | BytesPredicate
  | IpPredicate
  | LogicalPredicate;

/** `=` and `==` are the same comparison here and both read as "==". */
export type CompareOp = "==" | "!=" | ">" | ">=" | "<" | "<=";

export interface NumberPredicate extends Node {
  readonly kind: "NumberPredicate";
  readonly name: string;
  readonly op: CompareOp;
  readonly value: number;
}

export interface DurationPredicate extends Node {
  readonly kind: "DurationPredicate";
  readonly name: string;
  readonly op: CompareOp;
  readonly valueNs: bigint;
}

export interface BytesPredicate extends Node {
  readonly kind: "BytesPredicate";
  readonly name: string;
  readonly op: CompareOp;
  readonly valueBytes: number;
}

export interface IpPredicate extends Node {
  readonly kind: "IpPredicate";
  readonly name: string;
  readonly op: "=" | "!=";
  readonly value: string;
}

/** `and`, a comma and mere juxtaposition all read as "and". */
export interface LogicalPredicate extends Node {
  readonly kind: "LogicalPredicate";
  readonly op: "and" | "or";
  readonly left: Predicate;
  readonly right: Predicate;
}

// ---- metric queries ----

export type MetricExpr =
  | RangeAggregation
  | VectorAggregation
  | BinaryExpr
  | NumberLiteral
  | LabelReplace
  | VectorExpr
  | Variants;

export type RangeOp =
  | "count_over_time"
  | "rate"
  | "rate_counter"
  | "bytes_over_time"
  | "bytes_rate"
  | "avg_over_time"
  | "sum_over_time"
  | "min_over_time"
  | "max_over_time"
  | "stdvar_over_time"
  | "stddev_over_time"
  | "quantile_over_time"
  | "first_over_time"
  | "last_over_time"
  | "absent_over_time";

/** `parameter` is the quantile, null for the others. */
export interface RangeAggregation extends Node {
  readonly kind: "RangeAggregation";
  readonly op: RangeOp;
  readonly parameter: number | null;
  readonly range: LogRange;
  readonly grouping: Grouping | null;
}

/** The lines of a window: `(t - offset - range, t - offset]`. */
export interface LogRange extends Node {
  readonly kind: "LogRange";
  readonly selector: Selector;
  readonly pipeline: ReadonlyArray<Stage>;
  readonly unwrap: Unwrap | null;
  readonly rangeNs: bigint;
  readonly offsetNs: bigint;
}

export interface Unwrap extends Node {
  readonly kind: "Unwrap";
  readonly label: string;
  readonly conversion: "bytes" | "duration" | "duration_seconds" | null;
  /** Label filters that follow the unwrap. */
  readonly filters: ReadonlyArray<LabelFilter>;
}

export interface Grouping extends Node {
  readonly kind: "Grouping";
  readonly mode: "by" | "without";
  readonly labels: ReadonlyArray<string>;
}

export type VectorOp =
  | "sum"
  | "avg"
  | "min"
  | "max"
  | "count"
  | "stddev"
  | "stdvar"
  | "topk"
  | "bottomk"
  | "approx_topk"
  | "sort"
  | "sort_desc";

/** `parameter` is the k of topk, bottomk and approx_topk, null for the others. */
export interface VectorAggregation extends Node {
  readonly kind: "VectorAggregation";
  readonly op: VectorOp;
  readonly parameter: number | null;
  readonly expr: MetricExpr;
  readonly grouping: Grouping | null;
}

export type BinaryOp =
  | "or"
  | "and"
  | "unless"
  | "=="
  | "!="
  | ">"
  | ">="
  | "<"
  | "<="
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "^";

export interface BinaryExpr extends Node {
  readonly kind: "BinaryExpr";
  readonly op: BinaryOp;
  readonly left: MetricExpr;
  readonly right: MetricExpr;
  /** `bool`: a comparison yields 0 or 1 instead of filtering. */
  readonly returnBool: boolean;
  readonly matching: VectorMatching | null;
}

export interface VectorMatching extends Node {
  readonly kind: "VectorMatching";
  readonly mode: "on" | "ignoring";
  readonly labels: ReadonlyArray<string>;
  /** group_left: many on the left side; its labels are copied from the "one" side. */
  readonly group:
    | { readonly side: "left" | "right"; readonly labels: ReadonlyArray<string> }
    | null;
}

export interface NumberLiteral extends Node {
  readonly kind: "NumberLiteral";
  readonly value: number;
}

export interface LabelReplace extends Node {
  readonly kind: "LabelReplace";
  readonly expr: MetricExpr;
  readonly destination: string;
  readonly replacement: string;
  readonly source: string;
  readonly regex: string;
}

export interface VectorExpr extends Node {
  readonly kind: "VectorExpr";
  readonly value: number;
}

export interface Variants extends Node {
  readonly kind: "Variants";
  readonly variants: ReadonlyArray<MetricExpr>;
  readonly range: LogRange;
}

/** Whether the query returns lines. */
export function isLogQuery(expr: Expr): expr is LogQuery {
  return expr.kind === "LogQuery";
}
