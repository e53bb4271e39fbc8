/** The wall clock of this process, for the places that stamp data. */

export function systemNowMs(): number {
  return Date.now();
}

/** Nanoseconds since 1970; the clock itself has microseconds at best. */
export function systemNowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** The time in nanoseconds, never the same twice, as two numbers. */
export class NanosecondClock {
  seconds = 0;
  nanoseconds = 0;
  readonly #milliseconds: () => number;

  constructor(milliseconds: () => number = Date.now) {
    this.#milliseconds = milliseconds;
  }

  /** Moves to now, or a nanosecond on if that is later. */
  tick(): void {
    const now = this.#milliseconds();
    const seconds = Math.floor(now / 1000);
    const nanoseconds = Math.floor((now - seconds * 1000) * 1_000_000);
    if (seconds > this.seconds || (seconds === this.seconds && nanoseconds > this.nanoseconds)) {
      this.seconds = seconds;
      this.nanoseconds = nanoseconds;
    } else this.step();
  }

  /** Moves on by a nanosecond, whatever the time is: for what comes right after, without asking for it. */
  step(): void {
    if (++this.nanoseconds === 1_000_000_000) {
      this.nanoseconds = 0;
      this.seconds++;
    }
  }
}
