/** Line filters over blocks of rows: which literals are searched in the whole block at once, which
 *  rows are then asked of RE2, in which order. lineScanner.ts searches, rowTest.ts knows the
 *  operands. Invariant: a row survives exactly if its line passes every filter, whatever the order
 *  and whichever shortcuts were taken. */
import { GramTest } from "../streams/grams.ts";
import type { BlockFilter, LineBlock } from "../streams/lineBlock.ts";
import type { Needle } from "../streams/regexLiterals.ts";
import type { LineFilter, LineFilterOp } from "./ast.ts";
import { LineScanner, prepareClause, type PreparedNeedles, prepareExact } from "./lineScanner.ts";
import {
  type OperandPlan,
  planIp,
  planPattern,
  planRegex,
  planText,
  type RowTest,
} from "./rowTest.ts";

/** A line filter as plain data, for crossing into worker threads. */
export interface LineFilterDescription {
  readonly op: LineFilterOp;
  readonly operands: ReadonlyArray<{ readonly type: "text" | "ip"; readonly value: string }>;
}

/** The filter without its place in the query. */
export function describeLineFilter(filter: LineFilter): LineFilterDescription {
  return {
    op: filter.op,
    operands: filter.operands.map(({ type, value }) => ({ type, value })),
  };
}

/** Filters to apply one after another; none if every line passes. `checkpoint` is called after
 *  every 32 KiB that a regex read, and may throw to end the work. Throws RegexInvalid for what the
 *  parser would have refused. They share one scanner: use them in one thread, and not one within
 *  another. */
export function compileLineFilters(
  descriptions: ReadonlyArray<LineFilterDescription>,
  checkpoint: () => void = () => {},
): ReadonlyArray<BlockFilter> {
  const steps = descriptions.flatMap((description) => compileStep(description, checkpoint) ?? []);
  if (steps.length === 0) return [];
  if (steps.some((step) => step === dropAll)) return [{ apply: dropAll.apply }];
  return [combine(steps.sort((a, b) => a.cost - b.cost))];
}

/** The filters that do anything, in the order in which they run. */
export function runOrder(
  descriptions: ReadonlyArray<LineFilterDescription>,
): ReadonlyArray<LineFilterDescription> {
  return descriptions.flatMap((description) => {
    const step = compileStep(description, () => {});
    return step === null ? [] : [{ description, cost: step.cost }];
  }).sort((a, b) => a.cost - b.cost).map(({ description }) => description);
}

/** One filter, ready to run. Cheaper ones run first; the numbers only order. */
interface Step {
  readonly cost: number;
  /** Every line that passes contains, for each clause, one of its texts. */
  readonly required: ReadonlyArray<ReadonlyArray<Needle>>;
  apply(block: LineBlock, mask: Uint8Array): number;
}

/** A row test with the literals to search before it; every clause must be found. */
interface Check {
  readonly clauses: ReadonlyArray<PreparedNeedles>;
  readonly test: RowTest;
  readonly checkpoint: () => void;
  /** Holds the rows to test, kept from block to block to spare allocations. */
  candidates: Uint8Array;
}

const scanner = new LineScanner();

const checkpointBytes = 32 * 1024;
/** Below this share of the rows, testing them costs less than another search through the block. */
const fewRowsShare = 1 / 32;

const dropAll: Step = {
  cost: 0,
  required: [],
  apply: (_block, mask) => {
    mask.fill(0);
    return 0;
  },
};

function combine(steps: ReadonlyArray<Step>): BlockFilter {
  const grams = GramTest.of(steps.flatMap(({ required }) => required));
  return {
    ...(grams === null ? {} : { grams }),
    apply: (block, mask) => {
      scanner.take(block);
      let left = 0;
      for (const step of steps) {
        left = step.apply(block, mask);
        if (left === 0) return 0;
      }
      return left;
    },
  };
}

/** Null if every line passes. */
function compileStep(
  { op, operands }: LineFilterDescription,
  checkpoint: () => void,
): Step | null {
  const negative = op.startsWith("!");
  const plans = operands.map(({ type, value }) => planOperand(op, type, value));
  if (plans.some((plan) => plan.literals.kind === "everything")) return negative ? dropAll : null;
  const needles: Needle[] = [];
  const checks: Check[] = [];
  for (const { literals, test } of plans) {
    if (literals.kind === "contains") needles.push(...literals.needles);
    if (literals.kind !== "required") continue;
    const clauses = literals.clauses;
    checks.push({
      clauses: clauses.map(prepareClause),
      test,
      checkpoint,
      candidates: new Uint8Array(0),
    });
  }
  const groups = prepareExact(needles);
  const step = checks.length === 0
    ? literalStep(groups, negative, needles.length)
    : checkedStep(groups, checks, negative);
  return { ...step, required: negative ? [] : requiredTexts(plans) };
}

/** What every line contains that one of the operands matches. */
function requiredTexts(
  plans: ReadonlyArray<OperandPlan>,
): ReadonlyArray<ReadonlyArray<Needle>> {
  const clauses = plans.map(({ literals }): ReadonlyArray<ReadonlyArray<Needle>> => {
    if (literals.kind === "contains") return [literals.needles];
    return literals.kind === "required" ? literals.clauses : [];
  });
  if (clauses.length === 1) return clauses[0]!;
  // One clause for all of them, of the most telling one of each.
  return clauses.every((own) => own.length > 0) ? [clauses.flatMap((own) => own[0]!)] : [];
}

function planOperand(op: LineFilterOp, type: "text" | "ip", value: string): OperandPlan {
  if (type === "ip") return planIp(value);
  if (op === "|~" || op === "!~") return planRegex(value);
  if (op === "|>" || op === "!>") return planPattern(value);
  return planText(value);
}

/** Needles decide alone. */
function literalStep(
  groups: ReadonlyArray<PreparedNeedles>,
  negative: boolean,
  needleCount: number,
): Omit<Step, "required"> {
  const cost = needleCount + (negative ? 0.5 : 0);
  const only = groups.length === 1 ? groups[0]! : null;
  if (only !== null && !negative) {
    return { cost, apply: (_block, mask) => scanner.keepContaining(only, mask) };
  }
  if (negative) {
    return {
      cost,
      apply: (_block, mask) =>
        groups.reduce((_left, group) => scanner.dropContaining(group, mask), 0),
    };
  }
  return checkedStep(groups, [], false);
}

/** Needles decide for rows that contain them; the others are asked of the checks whose literals
 *  they have. */
function checkedStep(
  groups: ReadonlyArray<PreparedNeedles>,
  checks: ReadonlyArray<Check>,
  negative: boolean,
): Omit<Step, "required"> {
  const searched = checks.filter((check) => check.clauses.length > 0).length;
  let open = new Uint8Array(0);
  const apply = (block: LineBlock, mask: Uint8Array): number => {
    const rows = mask.length;
    if (open.length < rows) open = new Uint8Array(rows);
    // Rows wanted that no needle decided.
    const undecided = open.subarray(0, rows);
    undecided.set(mask);
    let left = countRows(mask);
    for (const group of groups) left = scanner.dropContaining(group, undecided);
    for (const check of checks) {
      if (left === 0) break;
      left -= testRows(block, check, undecided);
    }
    return settle(mask, undecided, negative);
  };
  return { cost: 1000 * (1 + checks.length) - 500 * Number(searched === checks.length), apply };
}

/** Clears the rows that match the check and returns how many did. */
function testRows(block: LineBlock, check: Check, undecided: Uint8Array): number {
  if (check.candidates.length < undecided.length) {
    check.candidates = new Uint8Array(undecided.length);
  }
  const candidates = check.candidates.subarray(0, undecided.length);
  candidates.set(undecided);
  for (const clause of check.clauses) {
    const left = scanner.keepContaining(clause, candidates);
    if (left === 0) return 0;
    if (left < candidates.length * fewRowsShare) break;
  }
  const { lines, lineEnds, rowStart } = block;
  let matched = 0;
  let unchecked = 0;
  for (let index = candidates.indexOf(1); index >= 0; index = candidates.indexOf(1, index + 1)) {
    const row = rowStart + index;
    const start = row === 0 ? 0 : lineEnds[row - 1]!;
    const end = lineEnds[row]!;
    unchecked += end - start;
    if (unchecked > checkpointBytes) {
      check.checkpoint();
      unchecked = 0;
    }
    if (!check.test(lines, start, end)) continue;
    undecided[index] = 0;
    matched++;
  }
  return matched;
}

/** Keeps in the mask the rows that matched (those no longer undecided), or with `negative` those
 *  that did not. */
function settle(mask: Uint8Array, undecided: Uint8Array, negative: boolean): number {
  let left = 0;
  for (let index = 0; index < mask.length; index++) {
    const kept = negative ? undecided[index]! : mask[index]! & ~undecided[index]!;
    mask[index] = kept;
    left += kept;
  }
  return left;
}

function countRows(mask: Uint8Array): number {
  let count = 0;
  for (let index = 0; index < mask.length; index++) count += mask[index]!;
  return count;
}
