/** What can go wrong with a template: before it runs (TemplateSyntaxError) and while it runs
 *  (TemplateFailed). Invariant: a template that compiled throws nothing else. */
import { positionOf } from "../error.ts";

/** A template that cannot be read. Reads as `template error at line 1, col 4: …`. */
export class TemplateSyntaxError extends Error {
  readonly _tag = "TemplateSyntaxError";
  override readonly name = "TemplateSyntaxError";
  readonly template: string;
  /** UTF-16 offset into the template. */
  readonly offset: number;
  /** What is wrong, without the position. */
  readonly reason: string;

  constructor(template: string, offset: number, reason: string) {
    const { line, column } = positionOf(template, offset);
    super(`template error at line ${line}, col ${column}: ${reason}`);
    this.template = template;
    this.offset = offset;
    this.reason = reason;
  }
}

/** A template that could not be rendered for this entry: a wrong argument, a value of the wrong
 *  type, or a limit. The message says which. */
export class TemplateFailed extends Error {
  readonly _tag = "TemplateFailed";
  override readonly name = "TemplateFailed";
}
