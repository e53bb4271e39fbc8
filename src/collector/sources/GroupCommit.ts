/** Makes many requests durable together: those that come while one commit is under way share the next. */

export class GroupCommit {
  readonly #commit: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** `commit` makes durable everything that was handed over before it was called. */
  constructor(commit: () => Promise<void>) {
    this.#commit = commit;
  }

  /** Resolves when everything handed over so far is durable. */
  done(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    return this.#next ??= this.#running.catch(() => {}).then(() => this.#start());
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const running = this.#commit().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    return this.#running = running;
  }
}
