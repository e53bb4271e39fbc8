/** Functions of numbers, sprig's: any value is taken and made a number first; what is none counts as
 *  0. Those without an f compute with 64-bit integers, those with one with decimals, so that
 *  `addf 0.1 0.2` is 0.3. */
import { readFailed, readNumber } from "../../labelValue.ts";
import { TemplateFailed } from "../error.ts";
import { int64, type Value } from "../value.ts";
import * as decimal from "./decimal.ts";
import { fixed, type FunctionTable, type TemplateFunction, variadic } from "./templateFunction.ts";

export const numbers: FunctionTable = new Map([
  ["int", fixed(["any"], toInt)],
  ["float64", fixed(["any"], toFloat)],
  ["add", integers([], (values) => values.reduce((sum, value) => sum + value, 0n))],
  ["sub", fixed(["any", "any"], (a, b) => int64(toInt(a) - toInt(b)))],
  ["mul", integers(["any"], (values) => values.reduce((product, value) => int64(product * value)))],
  ["div", fixed(["any", "any"], (a, b) => int64(toInt(a) / divisor("div", toInt(b))))],
  ["mod", fixed(["any", "any"], (a, b) => toInt(a) % divisor("mod", toInt(b)))],
  ["max", integers(["any"], (values) => values.reduce((a, b) => b > a ? b : a))],
  ["min", integers(["any"], (values) => values.reduce((a, b) => b < a ? b : a))],
  ["addf", variadic([], (values) => decimals("addf", [0, ...values.map(toFloat)], decimal.add))],
  ["subf", floats("subf", decimal.subtract)],
  ["mulf", floats("mulf", decimal.multiply)],
  [
    "divf",
    floats("divf", (a, b) => {
      if (b.digits === 0n) throw new TemplateFailed("divf: division by zero");
      return decimal.divide(a, b);
    }),
  ],
  ["maxf", variadic(["any"], (values) => Math.max(...values.map(toFloat)))],
  ["minf", variadic(["any"], (values) => Math.min(...values.map(toFloat)))],
  ["ceil", fixed(["any"], (value) => Math.ceil(toFloat(value)))],
  ["floor", fixed(["any"], (value) => Math.floor(toFloat(value)))],
  [
    "round",
    variadic(
      ["any", "int"],
      ([value, places, up = 0.5]) => round(toFloat(value!), Number(places), toFloat(up)),
    ),
  ],
]);

function integers(
  parameters: ReadonlyArray<"any">,
  compute: (values: ReadonlyArray<bigint>) => bigint,
): TemplateFunction {
  return variadic(parameters, (values) => int64(compute(values.map(toInt))));
}

function floats(
  name: string,
  step: (a: decimal.Decimal, b: decimal.Decimal) => decimal.Decimal,
): TemplateFunction {
  return variadic(["any"], (values) => decimals(name, values.map(toFloat), step));
}

function decimals(
  name: string,
  values: ReadonlyArray<number>,
  step: (a: decimal.Decimal, b: decimal.Decimal) => decimal.Decimal,
): number {
  const bad = values.find((value) => !Number.isFinite(value));
  if (bad !== undefined) throw new TemplateFailed(`${name} cannot compute with ${bad}`);
  return decimal.toNumber(values.map(decimal.fromNumber).reduce(step));
}

function divisor(name: string, value: bigint): bigint {
  if (value === 0n) throw new TemplateFailed(`${name}: division by zero`);
  return value;
}

/** Half away from zero, at `places` after the point; `up` is the fraction from which it goes up. */
function round(value: number, places: number, up: number): number {
  const scale = 10 ** places;
  const scaled = Math.abs(value) * scale;
  if (!Number.isFinite(scaled)) return value;
  const whole = Math.floor(scaled);
  const rounded = (scaled - whole >= up ? Math.ceil(scaled) : whole) / scale;
  return value < 0 ? -rounded : rounded;
}

function toInt(value: Value): bigint {
  switch (typeof value) {
    case "bigint":
      return value;
    case "boolean":
      return value ? 1n : 0n;
    case "number":
      return Number.isFinite(value) ? int64(BigInt(Math.trunc(value))) : 0n;
    case "string": {
      // A fraction of zeros does not matter; any other makes it no integer.
      const text = value.replace(/^([^.]*)\.0*$/, "$1");
      const match = /^([+-]?)(0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+|\d+)$/.exec(text);
      if (match === null || match[2]!.length > 66) return 0n;
      const size = BigInt(match[2]!) * (match[1] === "-" ? -1n : 1n);
      return int64(size) === size ? size : 0n;
    }
    default:
      return 0n;
  }
}

const encoder = new TextEncoder();

function toFloat(value: Value): number {
  switch (typeof value) {
    case "bigint":
      return Number(value);
    case "boolean":
      return value ? 1 : 0;
    case "number":
      return value;
    case "string": {
      const bytes = encoder.encode(value);
      const number = readNumber(bytes, 0, bytes.length);
      return readFailed() ? 0 : number;
    }
    default:
      return 0;
  }
}
