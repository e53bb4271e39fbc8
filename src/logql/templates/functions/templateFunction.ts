/** What a function of templates is: its parameters, which are checked before it is called, and what
 *  it computes. Each other file of this folder has one family. */
import { TemplateFailed } from "../error.ts";
import { formatValue } from "../format.ts";
import { GoTime } from "../goTime.ts";
import type { Budget } from "../limits.ts";
import type { TemplateContext } from "../template.ts";
import { typeName, type Value } from "../value.ts";

/** What a function may ask for besides its arguments. */
export interface CallSite {
  readonly context: TemplateContext;
  readonly budget: Budget;
}

interface ArgumentTypes {
  string: string;
  int: bigint;
  float: number;
  time: GoTime;
  any: Value;
}
export type ParameterKind = keyof ArgumentTypes;
type Arguments<P extends ReadonlyArray<ParameterKind>> = {
  -readonly [K in keyof P]: ArgumentTypes[P[K]];
};

export interface TemplateFunction {
  readonly parameters: ReadonlyArray<ParameterKind>;
  /** The kind of any further arguments; null if there can be none. */
  readonly rest: ParameterKind | null;
  /** Its arguments are of the kinds above. Throws TemplateFailed. */
  call(site: CallSite, values: ReadonlyArray<Value>): Value;
}

export type FunctionTable = ReadonlyMap<string, TemplateFunction>;

/** A function of a fixed number of arguments. */
export function fixed<const P extends ReadonlyArray<ParameterKind>>(
  parameters: P,
  compute: (...values: Arguments<P>) => Value,
): TemplateFunction {
  return {
    parameters,
    rest: null,
    call: (_site, values) => compute(...values as Arguments<P>),
  };
}

/** The same for one that needs the entry or makes long texts. */
export function siteFunction<const P extends ReadonlyArray<ParameterKind>>(
  parameters: P,
  compute: (site: CallSite, ...values: Arguments<P>) => Value,
): TemplateFunction {
  return {
    parameters,
    rest: null,
    call: (site, values) => compute(site, ...values as Arguments<P>),
  };
}

/** A function of any number of values, `parameters` at least. */
export function variadic(
  parameters: ReadonlyArray<ParameterKind>,
  compute: (values: ReadonlyArray<Value>) => Value,
): TemplateFunction {
  return { parameters, rest: "any", call: (_site, values) => compute(values) };
}

/** Calls it after its arguments were counted and checked. Throws TemplateFailed. */
export function callFunction(
  name: string,
  { parameters, rest, call }: TemplateFunction,
  site: CallSite,
  values: Array<Value>,
): Value {
  const wanted = parameters.length;
  if (values.length < wanted || (rest === null && values.length > wanted)) {
    const least = rest === null ? "" : "at least ";
    throw new TemplateFailed(
      `${name} takes ${least}${wanted} ${wanted === 1 ? "argument" : "arguments"}, ` +
        `not ${values.length}`,
    );
  }
  let length = 0;
  for (let index = 0; index < values.length; index++) {
    const value = argument(name, index, parameters[index] ?? rest!, values[index]!);
    values[index] = value;
    if (typeof value === "string") length += value.length;
  }
  site.budget.spendText(length);
  const result = call(site, values);
  if (typeof result === "string") site.budget.spendText(result.length);
  return result;
}

/** A whole float is taken for an integer and an integer for a float, as Go does with constants. */
function argument(name: string, index: number, kind: ParameterKind, value: Value): Value {
  switch (kind) {
    case "any":
      return value;
    case "string":
      if (typeof value === "string") return value;
      break;
    case "int":
      if (typeof value === "bigint") return value;
      if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
      break;
    case "float":
      if (typeof value === "number") return value;
      if (typeof value === "bigint") return Number(value);
      break;
    case "time":
      if (value instanceof GoTime) return value;
  }
  const given = value === null
    ? "nothing"
    : `${typeName(value)} ${formatValue(value).slice(0, 60)}`;
  throw new TemplateFailed(
    `argument ${index + 1} of ${name} must be ${kindNames[kind]}, not ${given}`,
  );
}

const kindNames: Readonly<Record<ParameterKind, string>> = {
  string: "a string",
  int: "an integer",
  float: "a number",
  time: "a time, as unixToTime, toDate, now and __timestamp__ answer",
  any: "a value",
};
