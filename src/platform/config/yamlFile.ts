/** Reads a configuration file's YAML into flat settings, each with the line it stands on, and tells about keys that do
 *  not exist. Owns YAML; load.ts owns what the values mean. */
import { isCollection, isMap, isScalar, type Node } from "yaml";
import { parseYaml } from "../yaml/parseYaml.ts";
import { isSection, settingAt, unknownKeyMessage } from "./catalogue.ts";

/** A scalar as it is written, its place, and its keys from the top. */
export interface FileValue {
  readonly keys: ReadonlyArray<string>;
  readonly text: string;
  readonly line: number;
}

export interface FileProblem {
  readonly line: number;
  readonly message: string;
}

/** All scalars of the YAML `text` that are settings, and all problems found on the way. */
export function readYaml(
  text: string,
): { readonly values: ReadonlyArray<FileValue>; readonly problems: ReadonlyArray<FileProblem> } {
  const { document, lines, problems: found, resolve } = parseYaml(text, { merge: false });
  const values: Array<FileValue> = [];
  const problems: Array<FileProblem> = found.map(({ line, message }) => ({ line, message }));
  const lineOf = (node: unknown): number =>
    lines.linePos((node as Node | null)?.range?.[0] ?? 0).line;

  const visit = (given: unknown, keys: ReadonlyArray<string>, lineAbove: number): void => {
    const node = resolve(given);
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) return;
    const path = keys.join(".");
    const line = given === null ? lineAbove : lineOf(given);
    const isOverride = keys[0] === "overrides";
    const setting = settingAt(isOverride ? `limits_config.${keys.slice(2).join(".")}` : path);
    const isLeaf = isOverride ? keys.length > 2 : setting !== undefined;
    if (isLeaf) {
      if (isScalar(node)) {
        const written = typeof node.value === "string" ? node.value : node.source;
        values.push({ keys, text: written ?? String(node.value), line });
      } else if (setting?.isStructured === true && isCollection(node)) {
        try {
          values.push({ keys, text: JSON.stringify(node.toJS(document)), line });
        } catch {
          // One that holds itself, or grows too large.
          problems.push({ line, message: `"${path}" has aliases that cannot be written out` });
        }
      } else {
        problems.push({ line, message: `"${path}" takes one value, not a list or a map` });
      }
      return;
    }
    if (!isMap(node)) {
      const what = path === "" ? "the file" : `"${path}"`;
      problems.push({ line, message: `${what} must be a map of settings` });
      return;
    }
    for (const { key, value } of node.items) {
      const below = [...keys, String(isScalar(key) ? key.value : key)];
      const belowPath = below.join(".");
      if (below[0] !== "overrides" && !isSection(belowPath) && settingAt(belowPath) === undefined) {
        problems.push({ line: lineOf(key), message: unknownKeyMessage(belowPath) });
      } else {
        visit(value, below, lineOf(key));
      }
    }
  };
  if (found.length === 0) visit(document.contents, [], 1);
  return { values, problems };
}
