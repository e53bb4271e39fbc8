/** The names that rotation gives to files: app.log becomes app.log.1, app.log-20260101.gz, app-2026-01-01.log.
 *  Owns the rules; they only say where to look, what a file is its content tells.
 *
 *  Two rules, since mistakes differ in what they cost. *Strict*: nothing but numbers, dates and words such as
 *  "old" are added, so that a file nobody named in the configuration may be read as a part of the log. *Loose*:
 *  anything may follow the name; enough to look whether content that was read has gone there. */
import type { CompressionFormat } from "../../platform/decompressedFile.ts";
import { baseName, parentPath } from "../../platform/files.ts";
import { addTo, deleteFrom } from "./mapOfSets.ts";

const compressed = /\.(gz|z)$/;
/** What stands behind the whole name. */
const suffix = /[-._](?:\d[\d\-_:.TZ+]*|old|bak|backup|prev|orig|save)$/i;
/** A number or a date before the extension. Short numbers behind "-" tell instances apart, not rotations. */
const infix = /(?:\.\d{1,5}|[-._]\d{4}[\d\-_:.TZ+]{2,})(\.[a-z_]+)$/i;

/** How a file is compressed, by its name. */
export function compressionOf(path: string): CompressionFormat | undefined {
  const found = compressed.exec(path);
  return found === null ? undefined : found[1] as CompressionFormat;
}

/** Names whose answer is known: each look at a directory asks for all of its names again. */
const known = new Map<string, string>();
const knownMax = 50_000;

/** The name that a file had before it was rotated, by the strict rule; the name itself if it does not look rotated. */
export function logNameOf(name: string): string {
  let log = known.get(name);
  if (log !== undefined) return log;
  log = withoutRotation(name);
  if (known.size >= knownMax) known.clear();
  known.set(name, log);
  return log;
}

function withoutRotation(name: string): string {
  let log = name.replace(compressed, "");
  for (;;) {
    const shorter = log.replace(suffix, "").replace(infix, "$1");
    if (shorter === log || shorter === "") return log;
    log = shorter;
  }
}

/** Files of one directory tree by what rotation may call them, for finding those that may hold a path's content. */
export class RelatedFiles<Item extends { readonly path: string; readonly log: string }> {
  readonly #byName = new Map<string, Set<Item>>();

  add(item: Item): void {
    for (const key of keysOf(item)) addTo(this.#byName, key, item);
  }

  /** To be called with the names the item was added with. */
  remove(item: Item): void {
    for (const key of keysOf(item)) deleteFrom(this.#byName, key, item);
  }

  /** Items of that very path or whose content rotation may have given to it, by the loose rule, and items that are
   *  rotations of the same log. */
  of(path: string): ReadonlySet<Item> {
    const directory = parentPath(path);
    const name = baseName(path);
    const found = new Set<Item>();
    const take = (name: string) => {
      for (const item of this.#byName.get(`${directory}/${name}`) ?? []) found.add(item);
    };
    for (let length = 1; length <= name.length; length++) take(name.slice(0, length));
    take(logNameOf(name));
    return found;
  }
}

/** Whether rotation may have given the content of `item` to `path`, another file of its directory. It never gives
 *  it to the log's own name. */
export function mayBecome(
  item: { readonly path: string; readonly log: string },
  path: string,
): boolean {
  const name = baseName(path);
  const names = [baseName(item.path), baseName(item.log)];
  if (names.some((before) => name === before || name === logNameOf(before))) return false;
  return names.some((before) => name.startsWith(before) || logNameOf(name) === logNameOf(before));
}

function keysOf({ path, log }: { readonly path: string; readonly log: string }): Set<string> {
  const directory = parentPath(path);
  const names = [baseName(path), baseName(log)];
  return new Set([...names, ...names.map(logNameOf)].map((name) => `${directory}/${name}`));
}
