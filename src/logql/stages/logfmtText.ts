/** Reads logfmt, `key=value key="quoted value" key`, pair by pair where it lies in a line. Blanks
 *  are all bytes up to the space. Invariant: a malformed token is passed over as a whole: up to the
 *  next blank, or the quoted text that it has. */
import { stringEnd, stringHasEscape } from "./jsonText.ts";

export class LogfmtText {
  /** Of the pair that `next` found last: the key, the value without quotes, and whether it has
   *  escapes. A key alone has an empty value. */
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  escaped = false;
  /** Whether a token was malformed. */
  isBroken = false;
  #line: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  /** Starts on a line. */
  begin(line: Uint8Array, start: number, end: number): void {
    this.#line = line;
    this.#at = start;
    this.#end = end;
    this.isBroken = false;
  }

  /** Finds the next pair; false at the end of the line. Malformed tokens are passed over, or with
   *  `strict` are the end. */
  next(strict: boolean): boolean {
    const line = this.#line;
    const end = this.#end;
    let at = this.#at;
    while (true) {
      while (at < end && line[at]! <= 0x20) at++;
      if (at >= end) return false;
      const start = at;
      while (at < end && isKeyByte[line[at]!] === 1) at++;
      this.keyStart = start;
      this.keyEnd = at;
      if (at > start) {
        if (at === end || line[at]! <= 0x20) {
          this.valueStart = this.valueEnd = at;
          this.escaped = false;
          this.#at = at;
          return true;
        }
        if (line[at] === equals) {
          const after = this.#value(line, at + 1, end);
          if (after >= 0) {
            this.#at = after;
            return true;
          }
          at = -after - 1;
        } else at = blankFrom(line, at, end);
      } else at = blankFrom(line, at, end);
      this.isBroken = true;
      if (strict) {
        this.#at = end;
        return false;
      }
    }
  }

  /** The pair's value turned out to be malformed: an escape that nobody knows. */
  reject(): void {
    this.isBroken = true;
  }

  /** Reads the value at `at`; returns where it ends, or -1 - where to go on if it is malformed. */
  #value(line: Uint8Array, at: number, end: number): number {
    if (at < end && line[at] === quoteMark) {
      const after = stringEnd(line, at, end);
      if (after < 0) return -1 - end;
      this.valueStart = at + 1;
      this.valueEnd = after - 1;
      this.escaped = stringHasEscape;
      return after;
    }
    let to = at;
    while (to < end && isKeyByte[line[to]!] === 1) to++;
    if (to < end && line[to]! > 0x20) return -1 - blankFrom(line, to, end);
    this.valueStart = at;
    this.valueEnd = to;
    this.escaped = false;
    return to;
  }
}

const equals = 0x3d;
const quoteMark = 0x22;

/** 1 for what keys and bare values are made of. */
const isKeyByte = new Uint8Array(256).fill(1, 0x21);
isKeyByte[equals] = isKeyByte[quoteMark] = 0;

function blankFrom(line: Uint8Array, at: number, end: number): number {
  while (at < end && line[at]! > 0x20) at++;
  return at;
}
