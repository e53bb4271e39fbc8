// What a panel shows instead of an answer: that it loads, or why it failed with what to do.
import type { Asked } from "../state/asked.ts";

export function AskedState({ asked, retry }: { asked: Asked<unknown>; retry: () => void }) {
  const failure = asked.failure.value;
  if (failure !== undefined) {
    const missing = failure.status === 404 || failure.status === 405;
    return (
      <div class="problem">
        <p>{missing ? "This server does not offer this." : failure.message}</p>
        {!missing && <button type="button" class="button small" onClick={retry}>Try again</button>}
      </div>
    );
  }
  return asked.loading.value && asked.answer.value === undefined
    ? <p class="hint">Loading…</p>
    : null;
}
