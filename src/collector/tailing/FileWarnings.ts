/** Says what is wrong with a file when that changes, not each time that it is tried. */

/** Files of which is known what was said; beyond it that is forgotten. */
const saidMax = 1_000;

export class FileWarnings {
  readonly #warn: (message: string) => void;
  /** What was last said, by path. */
  readonly #said = new Map<string, string>();

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  say(path: string, message: string): void {
    if (this.#said.get(path) === message) return;
    if (this.#said.size >= saidMax) this.#said.clear();
    this.#said.set(path, message);
    this.#warn(message);
  }
}
