/** Templates of stages: Go's text/template over the extracted values. The keys `Value` and `Entry`
 *  stand for what the stage works on and for the line. */
import {
  compileTemplate,
  type Template,
  type TemplateContext,
  TemplateFailed,
  TemplateSyntaxError,
  type Value,
} from "../../logql/templates/mod.ts";
import type { StageEntry } from "./entry.ts";
import type { StageContext } from "./stage.ts";
import type { Reads } from "./stageDefinition.ts";
import { templateFunctions } from "./templateFunctions.ts";

export interface StageTemplate {
  /** The text for an entry; null if the template fails for it. `value` is what `.Value` reads,
   *  undefined for nothing. */
  render(entry: StageEntry, value: string | undefined): string | null;
}

/** What a key reads as that was not extracted. */
export interface TemplateOptions {
  readonly missing: "" | null;
}

/** The template at `key` of a stage. One that does not compile is told and never rendered. */
export function stageTemplate(
  text: string,
  key: string,
  context: StageContext,
  { missing }: TemplateOptions,
): StageTemplate {
  try {
    const template = compileTemplate(text, { functions: templateFunctions, missing });
    return new EntryTemplate(template);
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    context.problem([key], error.message);
    return { render: () => null };
  }
}

/** The extracted values that a template reads, besides `.Value`. */
export function templateReads(text: string): Reads {
  try {
    const { labelNames } = compileTemplate(text, { functions: templateFunctions });
    return labelNames === "all" ? "all" : [...labelNames];
  } catch (error) {
    if (error instanceof TemplateSyntaxError) return [];
    throw error;
  }
}

class EntryTemplate implements StageTemplate, TemplateContext {
  readonly #template: Template;
  #entry: StageEntry | null = null;
  #value: string | undefined;

  constructor(template: Template) {
    this.#template = template;
  }

  render(entry: StageEntry, value: string | undefined): string | null {
    this.#entry = entry;
    this.#value = value;
    try {
      return this.#template.render(this);
    } catch (error) {
      if (error instanceof TemplateFailed) return null;
      throw error;
    }
  }

  label(name: string): Value | undefined {
    if (name === "Value" && this.#value !== undefined) return this.#value;
    return name === "Entry" ? this.#entry!.text : this.#entry!.extracted.text(name);
  }

  *labels(): Iterable<readonly [string, Value]> {
    const entry = this.#entry!;
    for (const [name] of entry.extracted.entries()) {
      const text = entry.extracted.text(name);
      if (text !== undefined && name !== "Value" && name !== "Entry") yield [name, text];
    }
    yield ["Entry", entry.text];
    if (this.#value !== undefined) yield ["Value", this.#value];
  }

  line(): string {
    return this.#entry!.text;
  }

  timestampNs(): bigint {
    return this.#entry!.timestampNs;
  }
}
