/** A log file and all the ways in which programs rotate one: logrotate with and without dateext, copytruncate,
 *  compress and delaycompress, the kubelet's, a service that counts its files. Owns the file operations and the
 *  names; when a log is written and rotated is the test's business.
 *
 *  A rotation is a generator that pauses where a reader may look at what is half done. Lines are written whole or
 *  in two pieces; each names its log and counts up, so that a test knows what must arrive. As a container's runtime
 *  writes them they have two parts, which may be in two files. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Random } from "./random.ts";

/** How the rotated files of a log are called: app.log.1 is the newest, app.log.1 is the oldest, app-20260101.log,
 *  app.log-20260101, 0.log.20260101-000001. */
export const namings = ["shifted", "counted", "datedStem", "dated", "kubelet"] as const;
export type Naming = typeof namings[number];

/** What happens to the file: snapshot is a copytruncate during which lines were written that the copy lacks. */
export const methods = ["rename", "copytruncate"] as const;
export type Method = typeof methods[number];

/** When rotated files are compressed: at once, or each when the next one is rotated. */
export const compressions = ["never", "now", "delayed"] as const;
export type Compression = typeof compressions[number];

export interface RotatingLogOptions {
  readonly path: string;
  readonly naming: Naming;
  /** Writes each line as two parts in CRI's form, and rotates between them. */
  readonly inParts?: boolean;
  /** Called with the path of each file that was written. */
  readonly onWritten?: (path: string) => void;
}

export class RotatingLog {
  readonly path: string;
  readonly name: string;
  readonly naming: Naming;
  readonly #options: RotatingLogOptions;
  /** Lines that have been written whole. */
  written = 0;
  rotations = 0;
  /** The end of a line whose beginning has been written. */
  #pending = "";

  constructor(options: RotatingLogOptions) {
    this.path = options.path;
    this.name = basename(options.path);
    this.naming = options.naming;
    this.#options = options;
  }

  get bytes(): number {
    return existsSync(this.path) ? statSync(this.path).size : 0;
  }

  lineAt(number: number): string {
    return `${this.name} ${number}`;
  }

  /** Appends lines of up to `padding` bytes more than they need; the last one without its end if `isTorn`. */
  write(count: number, random: Random, padding = 0, isTorn = false): void {
    let text = this.#pending;
    for (let index = 0; index < count; index++) {
      const pad = padding === 0 ? "" : ` ${"x".repeat(random.below(padding))}`;
      const line = `${this.lineAt(this.written++)}${pad}`;
      text += this.#options.inParts === true ? inParts(line) : `${line}\n`;
    }
    const cut = !isTorn || text.length < 2
      ? text.length
      : this.#options.inParts === true
      ? text.lastIndexOf("\n", text.length - 2) + 1
      : text.length - 1 - random.below(4);
    this.#pending = text.slice(Math.max(0, cut));
    this.#append(text.slice(0, Math.max(0, cut)));
  }

  /** Ends a line that is torn. */
  complete(): void {
    if (this.#pending === "") return;
    this.#append(this.#pending);
    this.#pending = "";
  }

  /** Rotates, if there is something to. The log must not be written to between two steps of a copytruncate. */
  *rotate(method: Method, compression: Compression): Generator<void> {
    if (this.#options.inParts !== true) this.complete();
    if (this.bytes === 0) return;
    this.rotations++;
    if (compression === "delayed") yield* this.#compressOlder();
    const rotated = yield* this.#freeName();
    if (method === "rename") renameSync(this.path, rotated);
    else yield* this.#copyAndTruncate(rotated);
    if (compression !== "now") return;
    yield;
    yield* this.#compress(rotated);
  }

  /** The files that rotation has left, oldest first. */
  rotated(): ReadonlyArray<string> {
    const directory = dirname(this.path);
    const { stem, extension } = this.#parts();
    const isRotated = (name: string) =>
      name !== this.name && (name.startsWith(`${this.name}.`) || name.startsWith(`${this.name}-`) ||
        (name.startsWith(`${stem}-`) && name.replace(/\.gz$/, "").endsWith(extension)));
    const order = (name: string) => {
      const [, number = "0"] = /(\d+)(?:\.gz|\.log|\.out)*$/.exec(name) ?? [];
      return this.naming === "shifted" ? -Number(number) : Number(number);
    };
    return readdirSync(directory).filter((name) => isRotated(name) && !name.endsWith(".tmp"))
      .sort((a, b) => order(a) - order(b)).map((name) => join(directory, name));
  }

  #append(text: string): void {
    const file = openSync(this.path, "a");
    try {
      appendFileSync(file, text);
    } finally {
      closeSync(file);
    }
    this.#options.onWritten?.(this.path);
  }

  #parts(): { readonly stem: string; readonly extension: string } {
    const dot = this.name.lastIndexOf(".");
    return { stem: this.name.slice(0, dot), extension: this.name.slice(dot) };
  }

  *#freeName(): Generator<void, string> {
    const directory = dirname(this.path);
    // As a date, the number sorts like one.
    const date = String(20260000 + this.rotations);
    const { stem, extension } = this.#parts();
    switch (this.naming) {
      case "counted":
        return `${this.path}.${this.rotations}`;
      case "dated":
        return `${this.path}-${date}`;
      case "datedStem":
        return join(directory, `${stem}-${date}${extension}`);
      case "kubelet":
        return `${this.path}.20260101-${date}`;
      case "shifted":
        for (const old of this.rotated()) {
          const [, number, end = ""] = /\.(\d+)(\.gz)?$/.exec(old)!;
          renameSync(old, `${this.path}.${Number(number) + 1}${end}`);
          yield;
        }
        return `${this.path}.1`;
    }
  }

  *#copyAndTruncate(rotated: string): Generator<void> {
    const content = readFileSync(this.path);
    const half = content.length >> 1;
    for (const part of [content.subarray(0, half), content.subarray(half)]) {
      appendFileSync(rotated, part);
      this.#options.onWritten?.(rotated);
      yield;
    }
    truncateSync(this.path);
    this.#options.onWritten?.(this.path);
  }

  *#compressOlder(): Generator<void> {
    for (const path of this.rotated()) {
      if (!path.endsWith(".gz")) yield* this.#compress(path);
    }
  }

  /** Under a name of its own as the kubelet does, or in place as gzip does. */
  *#compress(path: string): Generator<void> {
    const content = gzipSync(readFileSync(path));
    const written = this.naming === "kubelet" ? `${path}.tmp` : `${path}.gz`;
    const half = content.length >> 1;
    for (const part of [content.subarray(0, half), content.subarray(half)]) {
      appendFileSync(written, part);
      this.#options.onWritten?.(written);
      yield;
    }
    if (written !== `${path}.gz`) renameSync(written, `${path}.gz`);
    rmSync(path);
  }
}

/** The line as a container's runtime writes one that is long. */
function inParts(line: string): string {
  const time = new Date().toISOString();
  const middle = line.indexOf(" ") + 1;
  return `${time} stdout P ${line.slice(0, middle)}\n${time} stdout F ${line.slice(middle)}\n`;
}

/** Does all of a rotation at once. */
export function finishRotation(rotation: Generator<void>): void {
  while (rotation.next().done !== true);
}
