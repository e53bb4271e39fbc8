/** Tells waiters that something has changed. They look for themselves, and wait again if it was not what they need. */

export class Signal {
  #waiters: Array<() => void> = [];

  /** Resolves at the next `notify`. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  notify(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
