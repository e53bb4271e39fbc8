// Where a scrolled list is and how large, for lists that draw only what is in view. Owns noticing both, and pausing a live list
// that is scrolled up; model/scrollScale.ts owns lists higher than an element can be. Pixels are those of the list; `shift` is
// what is added to them to draw in the element. Invariant: while a list follows its end, its own scrolling there draws
// nothing anew.
import { type ReadonlySignal, signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { ScrollScale } from "../model/scrollScale.ts";
import { live } from "../state/explore.ts";

/** As long nothing was scrolled, nothing moves. */
const restMs = 150;

/** Draws the component again when its list is scrolled or gets another size. */
export function useScroller(rowPixels: number): Scroller {
  const scroller = useMemo(() => new Scroller(rowPixels), []);
  scroller.scrolled.value;
  scroller.following = live.value !== undefined && !live.value.paused.value;
  useEffect(() => scroller.watch(), []);
  return scroller;
}

export class Scroller {
  readonly element: RefObject<HTMLDivElement | null> = { current: null };
  readonly scrolled = signal(0);
  /** Whether the end of a live list stays in view. */
  following = false;
  readonly #size = signal({ height: 800, width: 1000 });
  readonly #scale = new ScrollScale();
  readonly #rowPixels: number;
  #last = 0;
  #resting: ReturnType<typeof setTimeout> | undefined;

  constructor(rowPixels: number) {
    this.#rowPixels = rowPixels;
  }

  get size(): ReadonlySignal<{ readonly height: number; readonly width: number }> {
    return this.#size;
  }

  /** Pixels of the list above the view. */
  get top(): number {
    return this.#last - this.#scale.shift;
  }

  /** What is added to a pixel of the list for the place to draw it at. */
  get shift(): number {
    return this.#scale.shift;
  }

  /** Takes in the list's height; gives that of the element to be scrolled. */
  fit(total: number): number {
    this.#scale.total = Math.round(total);
    return this.#scale.canvas;
  }

  /** Call when all is drawn: goes to the end that is followed, and notices what was scrolled meanwhile. */
  readonly drawn = (): void => {
    const element = this.element.current;
    if (element === null) return;
    if (this.following) this.#set(element.scrollHeight);
    this.#read();
  };

  readonly onScroll = (): void => {
    const before = this.top;
    this.#read();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      if (this.#scale.isAstray(this.#last)) this.#settle();
    }, restMs);
    if (!this.following) this.scrolled.value++;
    else if (this.top < before - this.#rowPixels) live.peek()?.pause();
  };

  /** Scrolls to where a pixel of the list is at the top of the view. */
  moveTo(top: number): void {
    const before = this.top;
    this.#set(this.#scale.moveTo(top));
    if (this.top !== before) this.scrolled.value++;
  }

  /** Brings what lies from `top` to `bottom` into view: just as far as is needed where it is next to the view, and from further
   *  away to the middle, so that what is around it is seen. */
  reveal(top: number, bottom: number): void {
    const height = this.element.current?.clientHeight ?? 0;
    const next = 2 * this.#rowPixels;
    if (bottom < this.top - next || top > this.top + height + next) {
      this.moveTo(Math.max(0, top - Math.max(0, height - (bottom - top)) / 2));
    } else if (top < this.top) this.moveTo(top);
    else if (bottom > this.top + height) this.moveTo(bottom - height);
  }

  watch(): () => void {
    const element = this.element.current;
    if (element === null) return () => {};
    const observer = new ResizeObserver(() => {
      this.#size.value = { height: element.clientHeight, width: element.clientWidth };
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      clearTimeout(this.#resting);
    };
  }

  /** Takes in what the person scrolled. */
  #read(): void {
    const now = this.element.current?.scrollTop ?? 0;
    this.#scale.scrolled(this.#last, now);
    this.#last = now;
    if (this.#scale.isStuck(now)) this.#settle();
  }

  #settle(): void {
    this.#set(this.#scale.settle(this.#last));
    // An element that is not in sight cannot be scrolled.
    if (this.#scale.isStuck(this.#last)) this.#scale.land(this.#last);
    this.scrolled.value++;
  }

  #set(scrolled: number): void {
    const element = this.element.current;
    if (element === null) return;
    element.scrollTop = scrolled;
    this.#last = element.scrollTop;
  }
}
