/** The tenant's rules on what the selector of a query must name: required_labels and
 *  minimum_labels_number. Pure. */
import type { Limits } from "../../platform/config/mod.ts";
import type { Matcher } from "../../streams/matcher.ts";

/** What is missing and what to do, or null. */
export function missingMatchers(
  limits: Pick<Limits, "required_labels" | "minimum_labels_number">,
  matchers: ReadonlyArray<Matcher>,
): string | null {
  const present = [...new Set(matchers.map(({ name }) => name))].sort();
  const required = limits.required_labels.split(",").map((name) => name.trim())
    .filter((name) => name !== "");
  const missing = required.filter((name) => !present.includes(name));
  if (missing.length > 0) {
    return `stream selector is missing required matchers [${
      missing.join(", ")
    }], labels present in the query ` +
      `were [${present.join(", ")}]; add a matcher for each: limits_config.required_labels is ` +
      `"${limits.required_labels}"`;
  }
  const least = limits.minimum_labels_number;
  if (present.length >= least) return null;
  return `stream selector has less label matchers than required: (present: [${
    present.join(", ")
  }], ` +
    `number_present: ${present.length}, required_number_label_matchers: ${least}); add matchers of other labels, ` +
    "limits_config.minimum_labels_number says how many";
}
