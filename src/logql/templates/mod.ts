/** Go's text/template with LogQL's functions: the front door of this folder. Invariant: rendering is
 *  bounded in output and in steps, whatever the template. */
import { TemplateSyntaxError } from "./error.ts";
import type { Template } from "./template.ts";
export { TemplateFailed, TemplateSyntaxError } from "./error.ts";
export type { Template, TemplateContext } from "./template.ts";
export type { Value } from "./value.ts";

/** Throws TemplateSyntaxError. */
export function compileTemplate(text: string): Template {
  throw new TemplateSyntaxError(text, 0, "templates cannot be compiled yet");
}
