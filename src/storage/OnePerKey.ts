/** Work of which one piece runs at a time for each key: what object stores need who look whether an object is there before they
 *  write it. Work of different keys does not wait. */

export class OnePerKey {
  readonly #running = new Map<string, Promise<void>>();

  /** Runs `work` when none of the same key runs any more, however that ended. */
  async run(key: string, work: () => Promise<void>): Promise<void> {
    for (let running = this.#running.get(key); running !== undefined;) {
      await running.catch(() => {});
      running = this.#running.get(key);
    }
    const own = work();
    this.#running.set(key, own);
    try {
      await own;
    } finally {
      this.#running.delete(key);
    }
  }
}
