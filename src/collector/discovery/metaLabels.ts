/** Labels of discovered things: names that Prometheus allows. */

/** A name with everything else made `_`, as Prometheus does for labels and annotations of others. */
export function labelName(text: string): string {
  return text.replace(/[^a-zA-Z0-9_]/g, "_");
}
