/** Cuts a stream of bytes into lines: what TailedFile.ts does for files, for what cannot be read at any place again (a pipe,
 *  a connection, decompressed bytes). Owns the beginning of a line whose end has not come yet, which is bounded by
 *  the limit for lines. */
import { joinBytes } from "../../platform/joinBytes.ts";
import type { LineLimits } from "./lineLimits.ts";
import { LineColumns } from "./lineSink.ts";
import { byteLineEnds, type LineEnds } from "./textEncoding.ts";

export class LineCutter {
  readonly #limits: LineLimits;
  readonly #ends: LineEnds;
  readonly #columns = new LineColumns();
  #rest: Uint8Array = new Uint8Array(0);
  /** Inside a line of which nothing more is wanted. */
  #isSkipping = false;
  #consumed: number;
  longLines = 0;

  /** `offset`: where in the stream the first byte stands. */
  constructor(limits: LineLimits, offset = 0, ends = byteLineEnds) {
    this.#limits = { ...limits, bytesMax: limits.bytesMax - limits.bytesMax % ends.width };
    this.#ends = ends;
    this.#consumed = offset;
  }

  /** Everything before this place has been given out or is left out. */
  get consumed(): number {
    return this.#consumed;
  }

  /** The beginning of a line that stands at `consumed`. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** The lines that end in `part`; valid until the next call, and as long as `part` is. */
  push(part: Uint8Array): LineColumns {
    const bytes = this.#rest.byteLength === 0 ? part : joinBytes([this.#rest, part]);
    const { bytesMax } = this.#limits;
    this.#columns.clear(bytes, this.#consumed);
    const ends = this.#ends;
    let start = 0;
    for (;;) {
      const found = ends.find(bytes, start);
      if (found < 0) break;
      const end = ends.textEnd(bytes, start, found);
      if (this.#isSkipping) this.#isSkipping = false;
      else if (end - start <= bytesMax) this.#columns.add(start, end);
      else this.#addLong(start, end);
      start = found + ends.width;
    }
    if (this.#isSkipping) start = bytes.byteLength;
    while (bytes.byteLength - start > bytesMax + ends.width) start = this.#beginLong(bytes, start);
    this.#consumed += start;
    this.#rest = bytes.slice(start);
    return this.#columns;
  }

  /** The line that nothing has ended, if there is one: the stream is over. */
  end(): LineColumns {
    const rest = this.#rest;
    this.#columns.clear(rest, this.#consumed);
    if (rest.byteLength > 0) this.#columns.add(0, Math.min(rest.byteLength, this.#limits.bytesMax));
    this.#consumed += rest.byteLength;
    this.#rest = new Uint8Array(0);
    return this.#columns;
  }

  #addLong(start: number, end: number): void {
    const { bytesMax, longLines } = this.#limits;
    this.longLines++;
    if (longLines === "truncate") this.#columns.add(start, start + bytesMax);
    if (longLines !== "split") return;
    for (let at = start; at < end; at += bytesMax) {
      this.#columns.add(at, Math.min(end, at + bytesMax));
    }
  }

  /** The beginning of a line that is already too long; returns up to where it is done with. */
  #beginLong(bytes: Uint8Array, start: number): number {
    const { bytesMax, longLines } = this.#limits;
    this.longLines++;
    if (longLines !== "drop") this.#columns.add(start, start + bytesMax);
    if (longLines === "split") return start + bytesMax;
    this.#isSkipping = true;
    return bytes.byteLength;
  }
}
