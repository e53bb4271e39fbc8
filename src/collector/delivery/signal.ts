/** Tells waiters that something has changed. They look for themselves, and wait again if it was not what they need. */

export class Signal {
  #waiters = new Set<() => void>();

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Resolves at the next `notify`, or when `signal` aborts: who waits for a time only must not be kept for ever. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal === undefined) return void this.#waiters.add(resolve);
      const done = () => {
        signal.removeEventListener("abort", done);
        this.#waiters.delete(done);
        resolve();
      };
      this.#waiters.add(done);
      signal.addEventListener("abort", done);
      if (signal.aborted) done();
    });
  }

  notify(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const resolve of waiters) resolve();
  }
}
