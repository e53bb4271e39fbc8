/** What one rendering may cost, and who counts it. Every function call and loop step is paid for, in
 *  proportion to the text it handles. Invariant: a rendering ends within these limits or fails. */
import { TemplateFailed } from "./error.ts";

/** Longest output, and longest text that a function may answer, in UTF-16 units. */
export const textLengthMax: number = 1 << 20;
/** One step is a function call, a turn of a loop, or 16 characters of text handled. */
export const stepsMax = 1_000_000;
/** How deep templates may call each other, and JSON may be nested. */
export const depthMax = 100;
/** How deep actions and parentheses may stand inside each other. */
export const nestingMax = 200;
/** Longest template, in UTF-16 units: the longest query, so that only other sources meet it. */
export const templateLengthMax = 131_072;

export class Budget {
  #steps = stepsMax;

  spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) {
      throw new TemplateFailed(
        `the template takes more than ${stepsMax} steps for one entry; loop over less or format a shorter text`,
      );
    }
  }

  spendText(length: number): void {
    this.spend(1 + (length >> 4));
  }
}

/** To be asked before a text of that length is made. */
export function checkLength(length: number): void {
  if (length <= textLengthMax) return;
  throw new TemplateFailed(
    `a text of ${length} characters exceeds the limit of ${textLengthMax} for templates; ask for less of it`,
  );
}
