// Below a list whose rows in view were let go of and could not be had again: why, and trying once more.
import { returns } from "../state/explore.ts";

export function ListTrouble() {
  const pages = returns.value;
  const trouble = pages?.trouble.value;
  if (pages === undefined || trouble === undefined) return null;
  return (
    <div class="list-end problem" role="alert">
      These lines could not be loaded: {trouble.message}
      <button type="button" class="button small" onClick={() => pages.retry()}>Try again</button>
    </div>
  );
}
