/** Watches on the directories of tailed files, so that a change is noticed before the next look. Owns how
 *  many there are and when one is more noise than help: a program that writes line by line makes an event of
 *  each, which costs more than looking often. Polling finds every change without them. */
import { watchDirectory } from "../../platform/logFiles.ts";

/** Beyond it further directories are polled only. */
const watchesMax = 20_000;
/** Events of one directory between two sweeps that make it noisy. */
const noisyEvents = 200;
/** Sweeps for which a noisy directory is left alone. */
const quietSweeps = 15;

interface Watch {
  close: (() => void) | undefined;
  events: number;
  /** Sweeps until a noisy directory is watched again. */
  pause: number;
  isWanted: boolean;
}

export class DirectoryWatches {
  readonly #watches = new Map<string, Watch>();
  readonly #onChange: (directory: string, name: string, isNameChange: boolean) => void;
  readonly #warn: (message: string) => void;
  #isRefusalSaid = false;

  constructor(
    onChange: (directory: string, name: string, isNameChange: boolean) => void,
    warn: (message: string) => void,
  ) {
    this.#onChange = onChange;
    this.#warn = warn;
  }

  get count(): number {
    return this.#watches.size;
  }

  /** Watches exactly these directories from now on. */
  retain(directories: Iterable<string>): void {
    for (const watch of this.#watches.values()) watch.isWanted = false;
    for (const directory of directories) {
      const known = this.#watches.get(directory);
      if (known !== undefined) known.isWanted = true;
      else if (this.#watches.size < watchesMax) {
        const watch = { close: undefined, events: 0, pause: 0, isWanted: true };
        this.#watches.set(directory, watch);
        this.#open(directory, watch);
      }
    }
    for (const [directory, watch] of this.#watches) {
      if (watch.isWanted) continue;
      watch.close?.();
      this.#watches.delete(directory);
    }
  }

  /** To be called about once a second: takes noisy directories off for a while. */
  sweep(): void {
    for (const [directory, watch] of this.#watches) {
      if (watch.events > noisyEvents) {
        watch.close?.();
        watch.close = undefined;
        watch.pause = quietSweeps;
      } else if (watch.pause > 0 && --watch.pause === 0) this.#open(directory, watch);
      watch.events = 0;
    }
  }

  close(): void {
    this.retain([]);
  }

  #open(directory: string, watch: Watch): void {
    watch.close = watchDirectory(
      directory,
      (name, isNameChange) => {
        watch.events++;
        this.#onChange(directory, name, isNameChange);
      },
      (reason) => {
        watch.close = undefined;
        this.#sayRefused(directory, reason);
      },
    )?.close;
  }

  #sayRefused(directory: string, reason: string): void {
    if (this.#isRefusalSaid) return;
    this.#isRefusalSaid = true;
    this.#warn(
      `The system does not watch "${directory}": ${reason}. Changes there are found by looking, a little later; ` +
        "sysctl fs.inotify.max_user_watches and max_user_instances set how much it watches",
    );
  }
}
