/** fromJson: JSON into lists, maps, strings, float64 numbers and booleans. */
import { depthMax } from "../limits.ts";
import type { Value } from "../value.ts";
import { fixed, type FunctionTable } from "./templateFunction.ts";

export const json: FunctionTable = new Map([
  // As in sprig, what is no JSON is nil.
  [
    "fromJson",
    fixed(["string"], (text) => {
      try {
        return valueOf(JSON.parse(text), 0);
      } catch (error) {
        if (error instanceof SyntaxError) return null;
        throw error;
      }
    }),
  ],
]);

function valueOf(parsed: unknown, depth: number): Value {
  if (depth > depthMax) throw new SyntaxError("nested too deep");
  if (typeof parsed !== "object" || parsed === null) {
    return typeof parsed === "string" || typeof parsed === "number" || typeof parsed === "boolean"
      ? parsed
      : null;
  }
  if (Array.isArray(parsed)) return parsed.map((item) => valueOf(item, depth + 1));
  return new Map(
    Object.entries(parsed).map(([name, item]) => [name, valueOf(item, depth + 1)] as const),
  );
}
