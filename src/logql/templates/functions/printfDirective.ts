/** Reads what follows a % in a printf format: flags, [index], width, precision, verb. */
import type { Value } from "../value.ts";

/** Beyond it a width or precision is refused, as in Go. */
const widthMax = 1_000_000;

export interface Directive {
  readonly minus: boolean;
  readonly plus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  readonly width: number | null;
  readonly precision: number | null;
  /** One character; "" if the format ends before it. */
  readonly verb: string;
  /** What to print in front: complaints of width and precision. */
  readonly problem: string;
  readonly badIndex: boolean;
  /** Where in the format the next text starts. */
  readonly end: number;
}

/** Where operands come from, for `*` and `[n]`. */
export interface Operands {
  take(): Value | undefined;
  seek(number: number): boolean;
}

export function parseDirective(format: string, start: number, operands: Operands): Directive {
  return new DirectiveParser(format, start, operands).parse();
}

class DirectiveParser {
  readonly #format: string;
  readonly #operands: Operands;
  #at: number;
  #problem = "";
  #badIndex = false;

  constructor(format: string, start: number, operands: Operands) {
    this.#format = format;
    this.#at = start;
    this.#operands = operands;
  }

  parse(): Directive {
    const flags = this.#match(/[-+# 0]*/y);
    let minus = flags.includes("-");
    this.#index();
    let width = this.#number("BADWIDTH");
    if (width !== null && width < 0) {
      minus = true;
      width = -width;
    }
    let precision: number | null = null;
    if (this.#format[this.#at] === ".") {
      this.#at++;
      this.#index();
      precision = this.#number("BADPREC", 0);
      if (precision !== null && precision < 0) {
        precision = null;
        this.#problem += "%!(BADPREC)";
      }
    }
    this.#index();
    const code = this.#format.codePointAt(this.#at);
    const verb = code === undefined ? "" : String.fromCodePoint(code);
    return {
      minus,
      plus: flags.includes("+"),
      sharp: flags.includes("#"),
      space: flags.includes(" "),
      // Zeros only stand on the left.
      zero: flags.includes("0") && !minus,
      width,
      precision,
      verb,
      problem: this.#problem,
      badIndex: this.#badIndex,
      end: this.#at + verb.length,
    };
  }

  /** `[n]`: the operand that is used next. */
  #index(): void {
    if (this.#format[this.#at] !== "[") return;
    const text = this.#match(/\[\d+\]/y);
    if (text === "") {
      this.#badIndex = true;
      const close = this.#format.indexOf("]", this.#at);
      this.#at = close < 0 ? this.#at + 1 : close + 1;
    } else if (!this.#operands.seek(Number(text.slice(1, -1)))) this.#badIndex = true;
  }

  #number(complaint: string, fallback: number | null = null): number | null {
    if (this.#format[this.#at] === "*") {
      this.#at++;
      const operand = this.#operands.take();
      if (typeof operand === "bigint" && operand >= -widthMax && operand <= widthMax) {
        return Number(operand);
      }
      this.#problem += `%!(${complaint})`;
      return null;
    }
    const digits = this.#match(/\d+/y);
    if (digits === "") return fallback;
    if (Number(digits) <= widthMax) return Number(digits);
    this.#problem += `%!(${complaint})`;
    return null;
  }

  #match(form: RegExp): string {
    form.lastIndex = this.#at;
    const text = form.exec(this.#format)?.[0] ?? "";
    this.#at += text.length;
    return text;
  }
}
