// Components whose code is loaded when they are first shown.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";

/** A component that shows nothing until `load` has brought its code; a failed load says so and is tried again. `Frame` is what
 *  stands in its place: "main" for a place of its own. */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  Frame: "main" | "div" = "div",
): (props: Props) => preact.JSX.Element {
  const loaded = signal<ComponentType<Props> | undefined>(undefined);
  const failed = signal(false);
  let loading = false;
  const begin = () => {
    if (loading) return;
    loading = true;
    failed.value = false;
    load().then((component) => loaded.value = component).catch(() => failed.value = true)
      .finally(() => loading = false);
  };
  return (props) => {
    const Component = loaded.value;
    if (Component !== undefined) return <Component {...props} />;
    if (failed.value) {
      return (
        <Frame class="empty">
          <p role="alert">This part of the page could not be loaded.</p>
          <button type="button" class="button" onClick={begin}>Try again</button>
        </Frame>
      );
    }
    begin();
    return <Frame class={Frame === "main" ? "place" : ""} aria-busy="true" />;
  };
}
