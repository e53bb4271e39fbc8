/** Go's text/template with LogQL's functions: the front door of this folder. Invariant: rendering is
 *  bounded in output and in steps, whatever the template. */
import { compileParsed } from "./compile.ts";
import { logqlFunctions } from "./functions/mod.ts";
import type { FunctionTable } from "./functions/templateFunction.ts";
import { parseTemplate } from "./parser.ts";
import type { Template } from "./template.ts";
export { TemplateFailed, TemplateSyntaxError } from "./error.ts";
export { logqlFunctions } from "./functions/mod.ts";
export { fixed, type FunctionTable, type TemplateFunction } from "./functions/templateFunction.ts";
export type { Template, TemplateContext } from "./template.ts";
export type { Value } from "./value.ts";

export interface TemplateOptions {
  /** Every function that may be called; LogQL's unless given. To add some:
   *  `new Map([...logqlFunctions, ["Hash", fixed(["string", "string"], …)]])`. */
  readonly functions?: FunctionTable;
  /** What a label reads as that is not there: "" in LogQL, nil, which prints `<no value>`, in
   *  Promtail. */
  readonly missing?: "" | null;
}

/** Throws TemplateSyntaxError for what cannot be read, and for a function that there is not. */
export function compileTemplate(text: string, options: TemplateOptions = {}): Template {
  const { functions = logqlFunctions, missing = "" } = options;
  return compileParsed(text, parseTemplate(text), functions, missing);
}
