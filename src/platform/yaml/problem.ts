/** A mistake in a YAML file: which key, what is wrong, where it stands. Whoever finds
 *  one knows the path of the key; document.ts turns the path into a line. */
import { editDistance } from "../editDistance.ts";

/** Keys and list positions from the top of the file: ["scrape_configs", 0, "job_name"]. */
export type ConfigPath = ReadonlyArray<string | number>;

export interface ConfigProblem {
  readonly path: ConfigPath;
  readonly message: string;
}

/** `scrape_configs[0].job_name`; "the file" for the whole of it. */
export function formatPath(path: ConfigPath): string {
  if (path.length === 0) return "the file";
  return path.map((key, index) =>
    typeof key === "number" ? `[${key}]` : index === 0 ? key : `.${key}`
  ).join("");
}

/** The known key that was probably meant, undefined if none is near. */
export function nearestKey(written: string, known: ReadonlyArray<string>): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, "");
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1;
  const left = plain(written);
  for (const key of known) {
    const right = plain(key);
    // No distance is less than that of lengths, and a key of a megabyte would take long to compare.
    if (Math.abs(left.length - right.length) >= bestDistance) continue;
    const distance = editDistance(left, right);
    if (distance < bestDistance) [best, bestDistance] = [key, distance];
  }
  return best;
}
