/** Writes a syntax tree as LogQL, on one line or laid out for reading. Invariant: parsing what was
 *  printed gives the same tree (but for spans), so parentheses and quotes are put where the parser
 *  needs them and nowhere else. */
import { quote } from "../streams/labels.ts";
import type {
  BinaryExpr,
  Expr,
  Extraction,
  Grouping,
  LabelMatcher,
  LabelName,
  LogRange,
  MetricExpr,
  Predicate,
  Selector,
  Stage,
  Unwrap,
} from "./ast.ts";
import { binaryOperators } from "./functions.ts";
import type { LineFilterDescription } from "./lineFilter.ts";
import { bareStages } from "./pipelineParser.ts";
import { formatBytes, formatDuration } from "./units.ts";

/** One line. */
export function print(expr: Expr): string {
  return layOut(expr, Infinity, "");
}

/** Several lines where one would be longer than 80 characters: a line per stage, arguments indented
 *  by two. */
export function prettyPrint(expr: Expr): string {
  return layOut(expr, 80, "");
}

// ---- expressions ----

function layOut(expr: Expr, widthMax: number, indent: string): string {
  const line = indent + onOneLine(expr);
  if (line.length <= widthMax) return line;
  const deeper = `${indent}  `;
  const inner = (child: Expr) => layOut(child, widthMax, deeper);
  switch (expr.kind) {
    case "LogQuery":
      return [indent + printSelector(expr.selector), ...stageLines(expr.pipeline, deeper)].join(
        "\n",
      );
    case "RangeAggregation": {
      const { op, parameter, range, grouping } = expr;
      const head = parameter === null ? `${op}(` : `${op}(${printNumber(parameter)},`;
      const tail = `)${grouping === null ? "" : ` ${printGrouping(grouping)}`}`;
      return [indent + head, rangeLines(range, deeper), indent + tail].join("\n");
    }
    case "VectorAggregation": {
      const grouping = expr.grouping === null ? "" : ` ${printGrouping(expr.grouping)} `;
      const parameter = expr.parameter === null ? "" : `${printNumber(expr.parameter)},`;
      return [`${indent}${expr.op}${grouping}(${parameter}`, inner(expr.expr), `${indent})`].join(
        "\n",
      );
    }
    case "LabelReplace": {
      const texts = `${deeper}${labelReplaceTexts(expr)}`;
      return [`${indent}label_replace(`, `${inner(expr.expr)},`, texts, `${indent})`].join("\n");
    }
    case "BinaryExpr":
      return [
        operandLines(expr, expr.left, "left", widthMax, deeper),
        `${indent}${printOperator(expr)}`,
        operandLines(expr, expr.right, "right", widthMax, deeper),
      ].join("\n");
    case "Variants": {
      const variants = expr.variants.map(inner).join(",\n");
      return [
        `${indent}variants(`,
        variants,
        `${indent}) of (`,
        rangeLines(expr.range, deeper),
        `${indent})`,
      ].join("\n");
    }
    case "NumberLiteral":
    case "VectorExpr":
      return line;
  }
}

function onOneLine(expr: Expr): string {
  switch (expr.kind) {
    case "LogQuery":
      return [printSelector(expr.selector), ...expr.pipeline.map(printStage)].join(" ");
    case "RangeAggregation": {
      const parameter = expr.parameter === null ? "" : `${printNumber(expr.parameter)}, `;
      const grouping = expr.grouping === null ? "" : ` ${printGrouping(expr.grouping)}`;
      return `${expr.op}(${parameter}${printRange(expr.range)})${grouping}`;
    }
    case "VectorAggregation": {
      const parameter = expr.parameter === null ? "" : `${printNumber(expr.parameter)}, `;
      const grouping = expr.grouping === null ? "" : ` ${printGrouping(expr.grouping)} `;
      return `${expr.op}${grouping}(${parameter}${onOneLine(expr.expr)})`;
    }
    case "LabelReplace":
      return `label_replace(${onOneLine(expr.expr)}, ${labelReplaceTexts(expr)})`;
    case "BinaryExpr":
      return `${printOperand(expr, "left")} ${printOperator(expr)} ${printOperand(expr, "right")}`;
    case "NumberLiteral":
      return printNumber(expr.value);
    case "VectorExpr":
      return `vector(${printNumber(expr.value)})`;
    case "Variants":
      return `variants(${expr.variants.map(onOneLine).join(", ")}) of (${printRange(expr.range)})`;
  }
}

function labelReplaceTexts(expr: Extract<MetricExpr, { kind: "LabelReplace" }>): string {
  return [expr.destination, expr.replacement, expr.source, expr.regex].map(printString).join(", ");
}

function printOperand(expr: BinaryExpr, side: "left" | "right"): string {
  const text = onOneLine(expr[side]);
  return needsParentheses(expr, side) ? `(${text})` : text;
}

function operandLines(
  expr: BinaryExpr,
  operand: MetricExpr,
  side: "left" | "right",
  widthMax: number,
  indent: string,
): string {
  if (!needsParentheses(expr, side)) return layOut(operand, widthMax, indent);
  return [`${indent}(`, layOut(operand, widthMax, `${indent}  `), `${indent})`].join("\n");
}

function needsParentheses(expr: BinaryExpr, side: "left" | "right"): boolean {
  const operand = expr[side];
  if (operand.kind !== "BinaryExpr") return false;
  const outer = binaryOperators.get(expr.op)!;
  const inner = binaryOperators.get(operand.op)!;
  if (inner.binding !== outer.binding) return inner.binding < outer.binding;
  return (side === "left") === outer.rightAssociative;
}

function printOperator(expr: BinaryExpr): string {
  const { matching } = expr;
  let text: string = expr.op;
  if (expr.returnBool) text += " bool";
  if (matching !== null) text += ` ${matching.mode} (${matching.labels.join(", ")})`;
  const group = matching?.group ?? null;
  if (group !== null) text += ` group_${group.side} (${group.labels.join(", ")})`;
  return text;
}

/** `by (a, b)`. */
export function printGrouping(grouping: Pick<Grouping, "mode" | "labels">): string {
  return `${grouping.mode} (${grouping.labels.join(", ")})`;
}

// ---- log ranges ----

function printRange(range: LogRange): string {
  return [
    printSelector(range.selector),
    ...range.pipeline.map(printStage),
    ...unwrapTexts(range.unwrap),
    printWindow(range),
  ].join(" ");
}

function rangeLines(range: LogRange, indent: string): string {
  const deeper = `${indent}  `;
  return [
    indent + printSelector(range.selector),
    ...stageLines(range.pipeline, deeper),
    ...unwrapTexts(range.unwrap).map((text) => deeper + text),
    deeper + printWindow(range),
  ].join("\n");
}

function printWindow(range: LogRange): string {
  const offset = range.offsetNs === 0n ? "" : ` offset ${formatDuration(range.offsetNs)}`;
  return `[${formatDuration(range.rangeNs)}]${offset}`;
}

/** `| unwrap x` and the filters that follow it; nothing for null. */
export function unwrapTexts(unwrap: Unwrap | null): ReadonlyArray<string> {
  if (unwrap === null) return [];
  const { conversion, label } = unwrap;
  const target = conversion === null ? label : `${conversion}(${label})`;
  return [`| unwrap ${target}`, ...unwrap.filters.map(printStage)];
}

// ---- pipelines ----

function stageLines(pipeline: ReadonlyArray<Stage>, indent: string): ReadonlyArray<string> {
  return pipeline.map((stage) => indent + printStage(stage));
}

function printSelector(selector: Selector): string {
  return `{${selector.matchers.map(printMatcher).join(", ")}}`;
}

/** `name="value"`. */
export function printMatcher(matcher: Pick<LabelMatcher, "name" | "op" | "value">): string {
  return `${matcher.name}${matcher.op}${printString(matcher.value)}`;
}

/** A stage as it is written behind a selector. */
export function printStage(stage: Stage): string {
  switch (stage.kind) {
    case "LineFilter":
      return printLineFilter(stage);
    case "JsonParser":
      return `| json${printExtractions(stage.extractions)}`;
    case "LogfmtParser": {
      const flags = (stage.strict ? " --strict" : "") + (stage.keepEmpty ? " --keep-empty" : "");
      return `| logfmt${flags}${printExtractions(stage.extractions)}`;
    }
    case "PatternParser":
      return `| pattern ${printString(stage.pattern)}`;
    case "RegexpParser":
      return `| regexp ${printString(stage.regex)}`;
    case "UnpackParser":
      return "| unpack";
    case "LabelFilter":
      return printLabelFilter(stage.predicate);
    case "LineFormat":
      return `| line_format ${printString(stage.template)}`;
    case "LabelFormat": {
      const assignments = stage.assignments.map(({ name, type, source }) =>
        `${name}=${type === "rename" ? source : printString(source)}`
      );
      return `| label_format ${assignments.join(", ")}`;
    }
    case "Decolorize":
      return "| decolorize";
    case "DropLabels":
      return `| drop ${printLabels(stage.labels)}`;
    case "KeepLabels":
      return `| keep ${printLabels(stage.labels)}`;
  }
}

/** `|= "a" or "b"`. */
export function printLineFilter(filter: LineFilterDescription): string {
  const operands = filter.operands.map(({ type, value }) =>
    type === "ip" ? `ip(${printString(value)})` : printString(value)
  );
  return `${filter.op} ${operands.join(" or ")}`;
}

function printExtractions(extractions: ReadonlyArray<Extraction>): string {
  if (extractions.length === 0) return "";
  const texts = extractions.map(({ name, expression }) =>
    name === expression ? name : `${name}=${printString(expression)}`
  );
  return ` ${texts.join(", ")}`;
}

function printLabels(labels: ReadonlyArray<LabelName | LabelMatcher>): string {
  return labels.map((label) => label.kind === "LabelName" ? label.name : printMatcher(label))
    .join(", ");
}

function printLabelFilter(predicate: Predicate): string {
  let first = predicate;
  while (first.kind === "LogicalPredicate") first = first.left;
  const text = printPredicate(predicate);
  // `| json != "x"` would be the json parser and a line filter.
  const ambiguous = first.op.startsWith("!") && bareStages.has(first.name.toLowerCase());
  return ambiguous ? `| (${text})` : `| ${text}`;
}

function printPredicate(predicate: Predicate): string {
  switch (predicate.kind) {
    case "LabelMatcher":
      return printMatcher(predicate);
    case "NumberPredicate":
      return `${predicate.name} ${predicate.op} ${printNumber(predicate.value)}`;
    case "DurationPredicate":
      return `${predicate.name} ${predicate.op} ${formatDuration(predicate.valueNs)}`;
    case "BytesPredicate":
      return `${predicate.name} ${predicate.op} ${formatBytes(predicate.valueBytes)}`;
    case "IpPredicate":
      return `${predicate.name}${predicate.op}ip(${printString(predicate.value)})`;
    case "LogicalPredicate": {
      const { op, left, right } = predicate;
      const parenthesized = (child: Predicate, when: boolean) =>
        when ? `(${printPredicate(child)})` : printPredicate(child);
      const leftText = parenthesized(left, isLogical(left, "or") && op === "and");
      const rightText = parenthesized(right, isLogical(right, op) || isLogical(right, "or"));
      return `${leftText} ${op} ${rightText}`;
    }
  }
}

function isLogical(predicate: Predicate, op: "and" | "or"): boolean {
  return predicate.kind === "LogicalPredicate" && predicate.op === op;
}

function printNumber(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** In backquotes where that spares escapes, as regexes like it. */
function printString(value: string): string {
  const raw = value.includes("\\") && /^[^`\p{C}]*$/u.test(value);
  return raw ? `\`${value}\`` : quote(value);
}
