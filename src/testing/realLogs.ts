/** Finds real text on the machine to push: logs, changelogs and other documents, compressed ones unpacked. Owns the
 *  choice of files; what is done with them is the test's business. Invariant: what it returns is what `grep` sees
 *  in the copies. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** A copy of a real file under the directory that was asked for. */
export interface RealLog {
  /** Name of the copy in that directory; letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** Lines without their line feed. A last line without one counts. */
  readonly lines: ReadonlyArray<string>;
  readonly bytes: number;
}

/** Copies about `bytes` of text into `directory`, from different files as long as there are any, then the same
 *  again. */
export function copyRealLogs(directory: string, bytes: number): RealLog[] {
  mkdirSync(directory, { recursive: true });
  const sources = sourceFolders.flatMap((folder) => filesBelow(folder));
  const logs: RealLog[] = [];
  let total = 0;
  while (total < bytes) {
    const totalBefore = total;
    for (const path of sources) {
      if (total >= bytes) break;
      const content = textOf(path);
      if (content === undefined) continue;
      const plainPath = path.slice(1).replace(/\.gz$/, "");
      const name = `${logs.length}-${plainPath.replace(/[^A-Za-z0-9._-]/g, "_").slice(-180)}`;
      writeFileSync(join(directory, name), content);
      const lines = content.toString().split("\n");
      if (lines.at(-1) === "") lines.pop();
      logs.push({ name, lines, bytes: content.byteLength });
      total += content.byteLength;
    }
    if (total === totalBefore) throw new Error(`No text found below ${sourceFolders.join(", ")}`);
  }
  return logs;
}

/** A machine without logs or documents still has the texts of installed packages. */
const sourceFolders = [
  "/var/log",
  "/usr/share/doc",
  fileURLToPath(new URL("../../node_modules/effect/src", import.meta.url)),
];
const fileBytesMax = 20_000_000;
const fileBytesMin = 100;
const namesWanted = /(changelog|history|news|readme|\.log|log$|\.ts$|\.txt)/i;

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && namesWanted.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name)).sort();
  } catch {
    return [];
  }
}

/** The text of a file, unpacked; undefined for what is no text (a NUL or bytes that are not UTF-8) or not to be
 *  read. */
function textOf(path: string): Buffer | undefined {
  try {
    if (statSync(path).size > fileBytesMax) return undefined;
    const bytes = readFileSync(path);
    const content = path.endsWith(".gz") ? gunzipSync(bytes) : bytes;
    if (content.byteLength < fileBytesMin || content.includes(0)) return undefined;
    new TextDecoder("utf-8", { fatal: true }).decode(content);
    return content;
  } catch {
    return undefined;
  }
}
