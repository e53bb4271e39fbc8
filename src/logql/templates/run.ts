/** What one rendering carries along: the entry, the output, variables and what it has spent. */
import { TemplateFailed } from "./error.ts";
import { Budget, checkLength, depthMax } from "./limits.ts";
import type { TemplateContext } from "./template.ts";
import { LabelMap, type Value } from "./value.ts";

export class Run {
  readonly context: TemplateContext;
  readonly budget = new Budget();
  /** What a label that is not there reads as. */
  readonly missing: Value;
  output = "";
  /** The variables of the template that runs, by slot. */
  frame: Array<Value>;
  #labels: LabelMap | null = null;
  #depth = 0;

  constructor(context: TemplateContext, missing: Value, slotCount: number) {
    this.context = context;
    this.missing = missing;
    this.frame = new Array<Value>(slotCount).fill(null);
  }

  write(text: string): void {
    this.output += text;
    checkLength(this.output.length);
  }

  /** Every label as one value. */
  labelMap(): LabelMap {
    return this.#labels ??= new LabelMap(this.context.labels());
  }

  /** Runs a template inside this one, with variables of its own. */
  nested(name: string, slotCount: number, dot: Value, body: () => void): void {
    if (++this.#depth > depthMax) {
      throw new TemplateFailed(`template ${JSON.stringify(name)} calls itself too deep`);
    }
    this.budget.spend(1);
    const outer = this.frame;
    this.frame = new Array<Value>(slotCount).fill(null);
    this.frame[0] = dot;
    body();
    this.frame = outer;
    this.#depth--;
  }
}
