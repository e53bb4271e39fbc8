/** The pause between two passes over files: long while nothing happens, so that an idle collector hardly wakes up,
 *  and over at once when something does. Owns the timers; who ends it and what follows is FileTail.ts'. */

export class Pause {
  readonly #leastMs: number;
  readonly #mostMs: number;
  /** Ends the pause that runs, once it may end. */
  #finish: (() => void) | undefined;
  #isEnded = false;

  /** `leastMs`: what happens within so long is one pass's work. */
  constructor(leastMs: number, mostMs: number) {
    this.#leastMs = leastMs;
    this.#mostMs = mostMs;
  }

  /** Ends the pause that runs, or the next one as soon as it may end. */
  end(): void {
    this.#isEnded = true;
    this.#finish?.();
  }

  /** Resolves when the pause is over. One at a time. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        this.#finish = undefined;
        this.#isEnded = false;
        resolve();
      };
      let timer = setTimeout(() => {
        if (this.#isEnded) return over();
        this.#finish = over;
        timer = setTimeout(over, this.#mostMs - this.#leastMs);
      }, this.#leastMs);
    });
  }
}
