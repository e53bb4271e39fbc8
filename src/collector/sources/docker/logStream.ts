/** Cuts what Docker sends of a container's log into lines. Pure. Owns the form
 *  (https://docs.docker.com/reference/api/engine/#tag/Container/operation/ContainerAttach): frames, each of
 *
 *    u8   1 stdout, 2 stderr
 *    3×0
 *    u32  length, big endian
 *    ...  a time, a space, a line with its line feed
 *
 *  or the same without headers for a container with a terminal. A line of more than 16 KB comes in several frames, of which only
 *  the last has a line feed; each has a time of its own. */

export type LogStreamName = "stdout" | "stderr";

export interface ContainerLine {
  readonly stream: LogStreamName;
  /** RFC 3339, as Docker wrote it. */
  readonly time: string;
  readonly bytes: Uint8Array;
}

/** A time is 30 characters and a space; what has no space by then has no time. */
const timeCharsMax = 64;
const headerBytes = 8;
const lineFeed = 10;
const space = 32;

/** One stream's line that is not whole yet. */
class OpenLine {
  time = "";
  /** What has come of the time of the frame or line, undefined behind it. */
  prefix: string | undefined = "";
  parts: Uint8Array[] = [];
  bytes = 0;
}

export class ContainerLogReader {
  readonly #isTerminal: boolean;
  readonly #lineBytesMax: number;
  readonly #header = new Uint8Array(headerBytes);
  #headerFilled = 0;
  /** What is still to come of the frame. */
  #frameRest = 0;
  #stream: LogStreamName = "stdout";
  readonly #open = { stdout: new OpenLine(), stderr: new OpenLine() };

  /** Longer lines are given out in pieces. */
  constructor(isTerminal: boolean, lineBytesMax: number) {
    this.#isTerminal = isTerminal;
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that end in `part`. Throws if it is not in the form above. */
  push(part: Uint8Array): ReadonlyArray<ContainerLine> {
    const lines: ContainerLine[] = [];
    if (this.#isTerminal) {
      this.#content(part, lines);
      return lines;
    }
    let at = 0;
    while (at < part.byteLength) {
      if (this.#frameRest === 0) {
        this.#header[this.#headerFilled++] = part[at++]!;
        if (this.#headerFilled === headerBytes) this.#beginFrame();
        continue;
      }
      const end = Math.min(part.byteLength, at + this.#frameRest);
      this.#content(part.subarray(at, end), lines);
      this.#frameRest -= end - at;
      at = end;
    }
    return lines;
  }

  /** Lines that nothing has ended: the log is over. */
  end(): ReadonlyArray<ContainerLine> {
    return (["stdout", "stderr"] as const).flatMap((stream) => {
      const open = this.#open[stream];
      return open.bytes === 0 ? [] : [take(stream, open)];
    });
  }

  #beginFrame(): void {
    const [kind, ...rest] = this.#header;
    if ((kind !== 1 && kind !== 2) || rest.slice(0, 3).some((byte) => byte !== 0)) {
      throw new Error("the log is not in Docker's form of frames");
    }
    this.#stream = kind === 1 ? "stdout" : "stderr";
    this.#frameRest = new DataView(this.#header.buffer).getUint32(4);
    this.#headerFilled = 0;
    this.#open[this.#stream].prefix = "";
  }

  #content(bytes: Uint8Array, lines: ContainerLine[]): void {
    const open = this.#open[this.#stream];
    let at = 0;
    while (at < bytes.byteLength) {
      if (open.prefix !== undefined) at = readPrefix(open, bytes, at);
      if (open.prefix !== undefined) return;
      const found = bytes.indexOf(lineFeed, at);
      const end = found < 0 ? bytes.byteLength : found;
      if (end > at) open.parts.push(bytes.slice(at, end));
      open.bytes += end - at;
      if (found >= 0) {
        lines.push(take(this.#stream, open));
        open.prefix = "";
      } else if (open.bytes >= this.#lineBytesMax) lines.push(take(this.#stream, open));
      at = end + 1;
    }
  }
}

/** Reads the time; behind it `prefix` is undefined. Returns where that is. */
function readPrefix(open: OpenLine, bytes: Uint8Array, from: number): number {
  let prefix = open.prefix ?? "";
  let at = from;
  while (at < bytes.byteLength && prefix.length < timeCharsMax) {
    const byte = bytes[at++]!;
    if (byte === space) {
      // The time of a line that goes on is that of its beginning.
      if (open.bytes === 0) open.time = prefix;
      open.prefix = undefined;
      return at;
    }
    prefix += String.fromCharCode(byte);
  }
  if (prefix.length < timeCharsMax) {
    open.prefix = prefix;
    return at;
  }
  throw new Error("a line of the log has no time");
}

function take(stream: LogStreamName, open: OpenLine): ContainerLine {
  const { time, parts } = open;
  const bytes = new Uint8Array(open.bytes);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  open.parts = [];
  open.bytes = 0;
  // A terminal ends lines with a carriage return as well.
  const end = bytes.at(-1) === 13 ? bytes.byteLength - 1 : bytes.byteLength;
  return { stream, time, bytes: bytes.subarray(0, end) };
}
