/** Answers that may lack what the server cannot read: asking for them, and saying so on standard error. */
import { Schema } from "effect";
import { writeError } from "../platform/terminal.ts";

export const allowPartialParameter = ["allow_partial", "true"] as const;

/** The member of an answer that says what is missing. */
export const Warnings = Schema.optionalKey(Schema.Array(Schema.String));

const shown = new Set<string>();

/** Each warning once. */
export function printWarnings(warnings: ReadonlyArray<string> = []): void {
  for (const warning of warnings) {
    if (shown.has(warning)) continue;
    shown.add(warning);
    writeError(`tailrace: warning: ${warning}\n`);
  }
}
