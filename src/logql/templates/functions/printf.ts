/** fmt's Sprint, Sprintln and Sprintf: https://pkg.go.dev/fmt has the verbs, flags and what a verb
 *  says that does not fit its operand, such as `%!d(string=x)`. */
import { formatValue, sprint } from "../format.ts";
import { checkLength } from "../limits.ts";
import type { Value } from "../value.ts";
import { type Directive, parseDirective } from "./printfDirective.ts";
import { applyVerb, describeOperand } from "./printfVerbs.ts";
import { type FunctionTable, variadic } from "./templateFunction.ts";

export const printing: FunctionTable = new Map([
  ["print", variadic([], sprint)],
  ["println", variadic([], (values) => `${values.map(formatValue).join(" ")}\n`)],
  ["printf", variadic(["string"], ([format, ...values]) => sprintf(format as string, values))],
]);

function sprintf(format: string, operands: ReadonlyArray<Value>): string {
  const reader = new OperandReader(operands);
  let text = "";
  let at = 0;
  for (;;) {
    const percent = format.indexOf("%", at);
    text += percent < 0 ? format.slice(at) : format.slice(at, percent);
    checkLength(text.length);
    if (percent < 0) break;
    const directive = parseDirective(format, percent + 1, reader);
    text += formatDirective(directive, reader);
    at = directive.end;
  }
  return text + extra(reader);
}

function formatDirective(directive: Directive, reader: OperandReader): string {
  const { problem, verb } = directive;
  if (verb === "") return `${problem}%!(NOVERB)`;
  if (verb === "%") return `${problem}%`;
  if (directive.badIndex) return `${problem}%!${verb}(BADINDEX)`;
  const operand = reader.take();
  if (operand === undefined) return `${problem}%!${verb}(MISSING)`;
  checkLength(directive.width ?? 0);
  return problem + applyVerb(directive, operand);
}

/** Operands that no verb used, unless the format said by number which it wants. */
function extra(reader: OperandReader): string {
  const rest = reader.rest();
  if (rest.length === 0) return "";
  return `%!(EXTRA ${rest.map(describeOperand).join(", ")})`;
}

/** Hands out operands in order, or from where `[n]` says. */
class OperandReader {
  readonly #operands: ReadonlyArray<Value>;
  #next = 0;
  #reordered = false;

  constructor(operands: ReadonlyArray<Value>) {
    this.#operands = operands;
  }

  take(): Value | undefined {
    return this.#operands[this.#next++];
  }

  /** `number` counts from 1. False if there is no such operand. */
  seek(number: number): boolean {
    this.#reordered = true;
    if (number < 1 || number > this.#operands.length) return false;
    this.#next = number - 1;
    return true;
  }

  rest(): ReadonlyArray<Value> {
    return this.#reordered ? [] : this.#operands.slice(this.#next);
  }
}
