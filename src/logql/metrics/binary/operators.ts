/** What each arithmetic and comparison operator makes of two numbers. matching.ts says which numbers
 *  meet, setOperators.ts has and, or, unless. */
import type { BinaryOp } from "../../ast.ts";

export type NumberOp = Exclude<BinaryOp, "and" | "or" | "unless">;
export type ComparisonOp = "==" | "!=" | ">" | ">=" | "<" | "<=";

export function isComparison(op: BinaryOp): op is ComparisonOp {
  return comparisons.has(op);
}

export function isSetOperator(op: BinaryOp): op is "and" | "or" | "unless" {
  return op === "and" || op === "or" || op === "unless";
}

/** The result of the operator; a comparison gives 1 or 0. Division by 0 is NaN, as in Loki. */
export function applyNumbers(op: NumberOp, left: number, right: number): number {
  switch (op) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return right === 0 ? NaN : left / right;
    case "%":
      return right === 0 ? NaN : left % right;
    case "^":
      return power(left, right);
    default:
      return Number(compareNumbers(op, left, right));
  }
}

export function compareNumbers(op: ComparisonOp, left: number, right: number): boolean {
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

/** IEEE 754's pow, as Go has it; JavaScript's gives NaN for 1 to the power of NaN or an infinity, and for
 *  -1 to the power of an infinity. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && (exponent === Infinity || exponent === -Infinity)) return 1;
  return base ** exponent;
}

const comparisons: ReadonlySet<BinaryOp> = new Set(["==", "!=", ">", ">=", "<", "<="]);
