/** How many lines may pass in a second: a bucket that fills at that rate. Owns the arithmetic; what becomes of a line that finds
 *  it empty is the caller's. */

/** Fills at a rate up to its size; each line takes one. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #size: number;
  #tokens: number;
  #filledMs: number;

  /** Full at first. */
  constructor(perSecond: number, size: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#size = size;
    this.#tokens = size;
    this.#filledMs = nowMs;
  }

  /** Takes one if there is one. */
  tryTake(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes one on credit if there is none; answers when that is paid back. */
  take(nowMs: number): number {
    this.#fill(nowMs);
    this.#tokens--;
    return this.#tokens >= 0 ? nowMs : nowMs - this.#tokens / this.#perMs;
  }

  #fill(nowMs: number): void {
    const elapsed = Math.max(0, nowMs - this.#filledMs);
    this.#tokens = Math.min(this.#size, this.#tokens + elapsed * this.#perMs);
    this.#filledMs = nowMs;
  }
}
