// Where a scrolled list is and how large, for lists that draw only what is in view. Owns noticing both and pausing a live list
// that is scrolled up. Invariant: while a list follows its end, its own scrolling there draws nothing anew.
import { type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { live } from "../state/explore.ts";

export interface Scroller {
  readonly element: RefObject<HTMLDivElement | null>;
  /** Pixels above the view. */
  readonly top: RefObject<number>;
  readonly size: Signal<{ readonly height: number; readonly width: number }>;
  /** Whether the end of a live list stays in view. */
  readonly following: boolean;
  readonly onScroll: () => void;
}

/** Draws the component again when its list is scrolled or gets another size. */
export function useScroller(rowPixels: number): Scroller {
  const element = useRef<HTMLDivElement>(null);
  const top = useRef(0);
  const size = useSignal({ height: 800, width: 1000 });
  const scrolled = useSignal(0);
  scrolled.value;
  const session = live.value;
  const following = session !== undefined && !session.paused.value;
  useEffect(() => {
    const scroller = element.current;
    if (scroller === null) return undefined;
    const observer = new ResizeObserver(() => {
      size.value = { height: scroller.clientHeight, width: scroller.clientWidth };
    });
    observer.observe(scroller);
    return () => observer.disconnect();
  }, []);
  const onScroll = () => {
    const before = top.current;
    top.current = element.current?.scrollTop ?? 0;
    if (!following) scrolled.value++;
    else if (top.current < before - rowPixels) session.pause();
  };
  return { element, top, size, following, onScroll };
}

/** Scrolls just as far as brings what lies from `top` to `bottom` into view. */
export function reveal(scroller: HTMLElement, top: number, bottom: number): void {
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (bottom > scroller.scrollTop + scroller.clientHeight) {
    scroller.scrollTop = bottom - scroller.clientHeight;
  }
}
