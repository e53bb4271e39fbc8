/** Globs of paths as Promtail's `__path__` has them (doublestar): `*`, `?`, `[a-z]`, `[^a]`, `{a,b}`, and
 *  `**` for any number of directories. Owns matching, in time linear in pattern and name, and finding the
 *  files that match. */
import { directoryEntries, joinLogPath, logFileStatus } from "../../platform/logFiles.ts";

/** Alternatives that the braces of one glob may come to. */
const alternativesMax = 1000;

/** A glob that cannot be read. */
export class InvalidGlob extends Error {
  override readonly name = "InvalidGlob";
}

export class Glob {
  /** Each alternative as its path segments. */
  readonly #alternatives: ReadonlyArray<ReadonlyArray<string>>;

  /** Throws InvalidGlob. */
  constructor(pattern: string) {
    this.#alternatives = expandBraces(pattern).map((alternative) => {
      const segments = alternative.split("/");
      for (const segment of segments) checkClasses(segment, pattern);
      return segments;
    });
  }

  matches(path: string): boolean {
    const segments = path.split("/");
    return this.#alternatives.some((pattern) => matchesSegments(pattern, 0, segments, 0));
  }

  /** The paths of files, links to files included, that match now. `onDirectory` is told each directory that was looked into
   *  for names, so that it can be watched. Directories that cannot be read hold nothing. */
  find(onDirectory: (path: string) => void = () => {}): Set<string> {
    const found = new Set<string>();
    for (const segments of this.#alternatives) {
      const isAbsolute = segments[0] === "";
      walk(isAbsolute ? "/" : "", segments, isAbsolute ? 1 : 0, found, onDirectory);
    }
    return found;
  }
}

/** Whether `name`, without slashes, matches one segment of a glob. */
export function matchesSegment(pattern: string, name: string): boolean {
  // Only the last star ever needs to be tried again at the next place.
  let at = 0;
  let index = 0;
  let starAt = -1;
  let starIndex = 0;
  while (index < name.length) {
    const character = pattern[at];
    if (character === "*") {
      starAt = at++;
      starIndex = index;
      continue;
    }
    const next = character === undefined ? -1 : matchesOne(pattern, at, name[index]!);
    if (next > 0) {
      at = next;
      index++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      index = ++starIndex;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** The place behind the element of the pattern at `at` if it matches the character, else -1. */
function matchesOne(pattern: string, at: number, character: string): number {
  switch (pattern[at]) {
    case "?":
      return at + 1;
    case "\\":
      return pattern[at + 1] === character ? at + 2 : -1;
    case "[":
      return matchesClass(pattern, at, character);
    default:
      return pattern[at] === character ? at + 1 : -1;
  }
}

function matchesClass(pattern: string, at: number, character: string): number {
  let index = at + 1;
  const isNegated = pattern[index] === "^" || pattern[index] === "!";
  if (isNegated) index++;
  let isFound = false;
  for (let first = true; first || pattern[index] !== "]"; first = false) {
    if (index >= pattern.length) return -1;
    if (pattern[index] === "\\") index++;
    const low = pattern[index++]!;
    let high = low;
    if (pattern[index] === "-" && pattern[index + 1] !== "]" && index + 1 < pattern.length) {
      index++;
      if (pattern[index] === "\\") index++;
      high = pattern[index++]!;
    }
    if (low <= character && character <= high) isFound = true;
  }
  return isFound !== isNegated ? index + 1 : -1;
}

function checkClasses(segment: string, pattern: string): void {
  for (let index = 0; index < segment.length; index++) {
    if (segment[index] === "\\") index++;
    else if (segment[index] === "[") {
      const end = segment.indexOf("]", index + 2);
      if (end < 0) {
        throw new InvalidGlob(
          `Cannot read glob "${pattern}": "[" at ${index} of "${segment}" is not closed`,
        );
      }
      index = end;
    }
  }
}

function matchesSegments(
  pattern: ReadonlyArray<string>,
  at: number,
  segments: ReadonlyArray<string>,
  index: number,
): boolean {
  // As in matchesSegment, with "**" for "*".
  let starAt = -1;
  let starIndex = 0;
  while (index < segments.length) {
    const expected = pattern[at];
    if (expected === "**") {
      starAt = at++;
      starIndex = index;
    } else if (expected !== undefined && matchesSegment(expected, segments[index]!)) {
      at++;
      index++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      index = ++starIndex;
    } else return false;
  }
  while (pattern[at] === "**") at++;
  return at === pattern.length;
}

function walk(
  directory: string,
  segments: ReadonlyArray<string>,
  at: number,
  found: Set<string>,
  onDirectory: (path: string) => void,
): void {
  const segment = segments[at];
  if (segment === undefined) return;
  const isLast = at === segments.length - 1;
  if (segment === "**") {
    // "**" may stand for no directory at all.
    if (!isLast) walk(directory, segments, at + 1, found, onDirectory);
    onDirectory(directory);
    for (const entry of directoryEntries(directory === "" ? "." : directory)) {
      const path = joinLogPath(directory, entry.name);
      // Links to directories are not followed here: they can lead back.
      if (entry.isDirectory) walk(path, segments, at, found, onDirectory);
      else if (isLast && isFile(path, entry.isLink)) found.add(path);
    }
    return;
  }
  if (!/[*?[\\]/.test(segment)) {
    const path = joinLogPath(directory, segment);
    if (!isLast) walk(path, segments, at + 1, found, onDirectory);
    else {
      if (logFileStatus(path)?.isFile === true) found.add(path);
      onDirectory(directory);
    }
    return;
  }
  onDirectory(directory);
  for (const entry of directoryEntries(directory === "" ? "." : directory)) {
    if (!matchesSegment(segment, entry.name)) continue;
    const path = joinLogPath(directory, entry.name);
    if (!isLast) {
      if (entry.isDirectory || entry.isLink) walk(path, segments, at + 1, found, onDirectory);
    } else if (!entry.isDirectory && isFile(path, entry.isLink)) found.add(path);
  }
}

/** Devices, pipes and sockets are told apart when the file is opened; a link may lead to a directory or nowhere. */
function isFile(path: string, isLink: boolean): boolean {
  return !isLink || logFileStatus(path)?.isFile === true;
}

/** All ways to choose one alternative of each pair of braces. */
function expandBraces(pattern: string): ReadonlyArray<string> {
  const start = unescapedIndex(pattern, "{", 0);
  if (start < 0) return [pattern];
  let depth = 0;
  let from = start + 1;
  const choices: string[] = [];
  for (let index = start; index < pattern.length; index++) {
    const character = pattern[index];
    if (character === "\\") index++;
    else if (character === "{") depth++;
    else if (character === "," && depth === 1) {
      choices.push(pattern.slice(from, index));
      from = index + 1;
    } else if (character === "}" && --depth === 0) {
      choices.push(pattern.slice(from, index));
      const prefix = pattern.slice(0, start);
      const all = choices.flatMap((choice) =>
        expandBraces(`${prefix}${choice}${pattern.slice(index + 1)}`)
      );
      if (all.length <= alternativesMax) return all;
      throw new InvalidGlob(
        `Cannot read glob "${pattern}": its braces come to more than ${alternativesMax} alternatives`,
      );
    }
  }
  throw new InvalidGlob(`Cannot read glob "${pattern}": "{" at ${start} is not closed`);
}

function unescapedIndex(text: string, character: string, from: number): number {
  for (let index = from; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === character) return index;
  }
  return -1;
}
