// Closes what pops up when something else is pressed.
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A ref for an element; `close` is called when a press lands outside of it. */
export function useOutsideClose<Host extends HTMLElement>(
  close: () => void,
): RefObject<Host | null> {
  const root = useRef<Host | null>(null);
  useEffect(() => {
    const onPress = (event: Event) => {
      if (root.current !== null && !event.composedPath().includes(root.current)) close();
    };
    addEventListener("pointerdown", onPress);
    return () => removeEventListener("pointerdown", onPress);
  }, []);
  return root;
}
