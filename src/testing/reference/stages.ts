/** Runs one line through a pipeline, stage by stage, as the documentation describes each. */
import type * as Ast from "../../logql/ast.ts";
import { parseJson, parseLogfmt, parsePattern, parseRegexp, unpack } from "./parsers.ts";
import {
  assign,
  bytesOf,
  type Entry,
  entryOf,
  fail,
  foldedLabels,
  type LogRow,
  lookUp,
  remove,
  rename,
  textOf,
} from "./row.ts";
import { renderTemplate } from "./templates.ts";
import { ipIn, lineRegex, matcherAccepts, numberOf, secondsOf, sizeOf } from "./values.ts";

/** Gives the text of a template for the fields of a line, or throws when it fails at run time. */
export type TemplateEngine = (
  template: string,
  fields: Readonly<Record<string, string>>,
  line: string,
  timestampNs: bigint,
) => string;

/** The plain one of templates.ts. */
export const plainTemplates: TemplateEngine = (template, fields, line, timestampNs) =>
  renderTemplate(template, { fields, line, timestampNs });

/** The line after the pipeline, or null if a filter dropped it. */
export function runPipeline(
  row: LogRow,
  pipeline: ReadonlyArray<Ast.Stage>,
  templates: TemplateEngine,
): Entry | null {
  const entry = entryOf(row);
  for (const stage of pipeline) {
    if (!runStage(entry, stage, templates)) return null;
  }
  return entry;
}

/** Whether the line goes on. */
function runStage(entry: Entry, stage: Ast.Stage, templates: TemplateEngine): boolean {
  switch (stage.kind) {
    case "LineFilter":
      return passesLineFilter(entry.line, stage);
    case "LabelFilter":
      return passesPredicate(entry, stage.predicate);
    case "JsonParser":
      parseJson(entry, stage);
      return true;
    case "LogfmtParser":
      parseLogfmt(entry, stage);
      return true;
    case "PatternParser":
      parsePattern(entry, stage.pattern);
      return true;
    case "RegexpParser":
      parseRegexp(entry, stage.regex);
      return true;
    case "UnpackParser":
      unpack(entry);
      return true;
    case "LineFormat":
      formatTo(entry, templates, stage.template, (text) => entry.line = bytesOf(text));
      return true;
    case "LabelFormat":
      formatLabels(entry, stage, templates);
      return true;
    case "Decolorize":
      entry.line = entry.line.replace(colourCodes, "");
      return true;
    case "DropLabels":
      dropLabels(entry, stage);
      return true;
    case "KeepLabels":
      keepLabels(entry, stage);
      return true;
  }
}

/** Escape sequences of terminals: ESC [ numbers letter. */
const colourCodes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, "g");

// ---- line filters ----

function passesLineFilter(line: string, filter: Ast.LineFilter): boolean {
  const isAny = filter.operands.some((operand) => operandMatches(line, filter.op, operand));
  return filter.op.startsWith("!") ? !isAny : isAny;
}

function operandMatches(
  line: string,
  op: Ast.LineFilterOp,
  operand: Ast.LineFilterOperand,
): boolean {
  if (operand.type === "ip") return ipIn(textOf(line), operand.value);
  if (op === "|=" || op === "!=") return line.includes(bytesOf(operand.value));
  if (op === "|~" || op === "!~") return lineRegex(operand.value).test(textOf(line));
  return patternMatches(line, operand.value.split("<_>").map(bytesOf));
}

/** Literals in order, each `<_>` between them one byte or more; anchored where the pattern begins or ends with a literal. */
function patternMatches(line: string, literals: ReadonlyArray<string>): boolean {
  const [first, ...others] = literals as [string, ...string[]];
  if (others.length === 0) return line === first;
  if (!line.startsWith(first)) return false;
  const last = others.pop()!;
  let at = first.length;
  for (const literal of others) {
    const found = line.indexOf(literal, at + 1);
    if (found < 0) return false;
    at = found + literal.length;
  }
  return line.length - last.length > at && line.endsWith(last);
}

// ---- label filters ----

/** After an `or` that holds on its left the right side is not looked at, and so cannot fail; an `and` looks at both. */
export function passesPredicate(entry: Entry, predicate: Ast.Predicate): boolean {
  switch (predicate.kind) {
    case "LogicalPredicate": {
      const left = passesPredicate(entry, predicate.left);
      if (predicate.op === "or") return left || passesPredicate(entry, predicate.right);
      return passesPredicate(entry, predicate.right) && left;
    }
    case "LabelMatcher": {
      const value = lookUp(entry, predicate.name) ?? "";
      const isAccepted = matcherAccepts(predicate.op, predicate.value, value);
      if (predicate.name === "__error__" && isAccepted && value !== "") entry.isErrorWanted = true;
      return isAccepted;
    }
    case "NumberPredicate":
      return compareLabel(entry, predicate, numberOf, predicate.value);
    case "DurationPredicate":
      return compareLabel(entry, predicate, secondsOf, Number(predicate.valueNs) / 1e9);
    case "BytesPredicate":
      return compareLabel(entry, predicate, sizeOf, predicate.valueBytes);
    case "IpPredicate": {
      const value = lookUp(entry, predicate.name);
      return value !== undefined && ipIn(value, predicate.value) === (predicate.op === "=");
    }
  }
}

/** A line without the label is dropped; one whose label does not read as a value is kept and marked. The error that
 *  a line has already stays, and does not spare it the comparison. */
function compareLabel(
  entry: Entry,
  predicate: { readonly name: string; readonly op: Ast.CompareOp },
  read: (text: string) => number | null,
  expected: number,
): boolean {
  const text = lookUp(entry, predicate.name);
  if (text === undefined) return false;
  const value = read(text);
  if (value === null) {
    fail(entry, "LabelFilterErr");
    return true;
  }
  return compare(predicate.op, value, expected);
}

export function compare(op: Ast.CompareOp, left: number, right: number): boolean {
  switch (op) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
    case "<":
      return left < right;
    case "<=":
      return left <= right;
  }
}

// ---- formats, drop and keep ----

function formatTo(
  entry: Entry,
  templates: TemplateEngine,
  template: string,
  use: (text: string) => void,
  fields = foldedLabels(entry),
): void {
  let text: string;
  try {
    text = templates(template, fields, textOf(entry.line), entry.row.timestampNs);
  } catch {
    return fail(entry, "TemplateFormatErr");
  }
  use(text);
}

/** Templates see the labels as they were before the stage. */
function formatLabels(entry: Entry, stage: Ast.LabelFormat, templates: TemplateEngine): void {
  const before = foldedLabels(entry);
  for (const { name, type, source } of stage.assignments) {
    if (type === "template") {
      formatTo(entry, templates, source, (text) => assign(entry, name, text), before);
      continue;
    }
    if (source !== name) rename(entry, source, name);
  }
}

function dropLabels(entry: Entry, stage: Ast.DropLabels): void {
  for (const label of stage.labels) {
    const value = lookUp(entry, label.name) ?? "";
    if (label.kind === "LabelName" || matcherAccepts(label.op, label.value, value)) {
      remove(entry, label.name);
    }
  }
}

/** Errors stay whatever the list says. */
function keepLabels(entry: Entry, stage: Ast.KeepLabels): void {
  for (const [name, value] of Object.entries(foldedLabels(entry))) {
    const isKept = name === "__error__" || name === "__error_details__" ||
      stage.labels.some((label) =>
        label.name === name &&
        (label.kind === "LabelName" || matcherAccepts(label.op, label.value, value))
      );
    if (!isKept) remove(entry, name);
  }
}
