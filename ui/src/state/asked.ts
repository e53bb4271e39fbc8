// Something asked of the server for a panel: its answer, that it is on its way, or why it failed. Invariant: a newer
// question's answer is never replaced by an older one's; while a question runs, the last answer stays to be looked at.
import { type Signal, signal } from "@preact/signals-core";
import { ApiError } from "../api/request.ts";

export class Asked<Answer> {
  readonly answer: Signal<Answer | undefined> = signal(undefined);
  readonly failure: Signal<ApiError | undefined> = signal(undefined);
  readonly loading = signal(false);
  #key: string | undefined;
  #abort = new AbortController();

  /** Asks, unless the same (by `key`) was asked last. */
  async ask(key: string, fetch: (signal: AbortSignal) => Promise<Answer>): Promise<void> {
    if (key === this.#key) return;
    this.#key = key;
    this.#abort.abort();
    const abort = this.#abort = new AbortController();
    this.loading.value = true;
    try {
      const answer = await fetch(abort.signal);
      if (abort.signal.aborted) return;
      this.answer.value = answer;
      this.failure.value = undefined;
    } catch (cause) {
      if (abort.signal.aborted) return;
      this.failure.value = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
      this.#key = undefined;
    }
    this.loading.value = false;
  }

  /** Makes the next question be asked, though it is the same. */
  forget(): void {
    this.#key = undefined;
  }
}
