/** `encoding`: files that are not UTF-8. Owns where lines end in them (in UTF-16 a line feed is two bytes, and a byte of a line
 *  feed may be half of another character) and their text as UTF-8. Names are those of the Encoding Standard, which has
 *  IANA's as far as they are in use: https://encoding.spec.whatwg.org/#names-and-labels */

const lineFeed = 10;
const carriageReturn = 13;

/** Where lines end, for bytes that begin with a whole character. */
export class LineEnds {
  /** Bytes of a line feed. */
  readonly width: 1 | 2;
  /** Which byte of a character has its low bits. */
  readonly #low: 0 | 1;

  constructor(width: 1 | 2, isBigEndian = false) {
    this.width = width;
    this.#low = width === 2 && isBigEndian ? 1 : 0;
  }

  /** Where the next line feed begins at or after `from`, where a character begins; -1 if there is none. */
  find(bytes: Uint8Array, from: number): number {
    if (this.width === 1) return bytes.indexOf(lineFeed, from);
    for (let at = from;;) {
      const found = bytes.indexOf(lineFeed, at);
      if (found < 0) return -1;
      const start = found - this.#low;
      const isWhole = start >= from && (start - from) % 2 === 0 && start + 1 < bytes.byteLength;
      if (isWhole && bytes[start + 1 - this.#low] === 0) return start;
      at = found + 1;
    }
  }

  /** Where the text of a line ends that begins at `start` and whose line feed is at `feed`: before a carriage return. */
  textEnd(bytes: Uint8Array, start: number, feed: number): number {
    const at = feed - this.width;
    if (at < start || bytes[at + this.#low] !== carriageReturn) return feed;
    return this.width === 1 || bytes[at + 1 - this.#low] === 0 ? at : feed;
  }
}

/** Those of UTF-8 and of all encodings that extend ASCII. */
export const byteLineEnds = new LineEnds(1);

export interface TextEncoding {
  readonly lineEnds: LineEnds;
  /** A line as UTF-8; what is no text becomes U+FFFD. */
  readonly toUtf8: (line: Uint8Array) => Uint8Array;
}

/** Undefined for UTF-8, whose lines stay the bytes that they are. Throws a RangeError for a name that is not known. */
export function textEncoding(name: string): TextEncoding | undefined {
  if (name === "") return undefined;
  const decoder = new TextDecoder(name);
  if (decoder.encoding === "utf-8") return undefined;
  const isWide = decoder.encoding.startsWith("utf-16");
  const encoder = new TextEncoder();
  return {
    lineEnds: isWide ? new LineEnds(2, decoder.encoding === "utf-16be") : byteLineEnds,
    toUtf8: (line) => encoder.encode(decoder.decode(line)),
  };
}
