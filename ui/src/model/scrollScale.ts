// Lists higher than browsers let an element be: Firefox ends at 17.8 million pixels, Chromium at 33. The element (the canvas)
// is at most 15 million high, and what is scrolled of it is mapped to the list. Small scrolls, as wheels, fingers and keys make
// them, move the list by exactly as many pixels; a leap, as dragging the scrollbar makes them, goes to the same share of the
// list. Within 2 million pixels of either end of the list canvas and list agree, so that ends are reached exactly.
// Invariant: top = scrolled - shift, with a whole shift, which is 0 for lists that fit.

export const canvasMax = 15_000_000;
const zone = 2_000_000;
/** Less than one pixel of a dragged scrollbar makes of the canvas, more than a wheel's or finger's frame. */
const leap = 4000;
/** The canvas must go on above and below the view for a flick of a finger. */
const room = 200_000;

export class ScrollScale {
  /** Pixels from the list to the canvas, at the present place. */
  shift = 0;
  /** The list's height. */
  total = 0;

  /** Height of the element that is scrolled. */
  get canvas(): number {
    return Math.min(this.total, canvasMax);
  }

  /** Takes in that the element was scrolled from one pixel of the canvas to another. */
  scrolled(before: number, now: number): void {
    if (Math.abs(now - before) > leap) this.land(now);
  }

  /** Takes a pixel of the canvas for the same share of the list. */
  land(scrolled: number): void {
    this.shift = Math.round(scrolled - this.#listOf(scrolled));
  }

  /** The pixel of the canvas to scroll to, for the list's pixel at the top of the view to become `top`. */
  moveTo(top: number): number {
    const isNear = Math.abs(top + this.shift - this.#canvasOf(top)) <= zone / 2;
    if (!isNear || this.isStuck(top + this.shift)) this.shift = this.#shiftOf(top);
    return top + this.shift;
  }

  /** Whether the canvas ends soon above or below this pixel of it, and the list elsewhere. */
  isStuck(scrolled: number): boolean {
    if (this.total <= canvasMax || scrolled < room) return this.shift !== 0;
    return scrolled > canvasMax - room && this.shift !== canvasMax - this.total;
  }

  /** Once nothing moves: whether the scrollbar says another place than where the list is. */
  isAstray(scrolled: number): boolean {
    return this.isStuck(scrolled) ||
      Math.abs(this.#shiftOf(scrolled - this.shift) - this.shift) > 2;
  }

  /** Brings the canvas to where it should be for the same place in the list; gives the pixel to scroll it to. */
  settle(scrolled: number): number {
    const top = Math.max(0, scrolled - this.shift);
    this.shift = this.#shiftOf(top);
    return top + this.shift;
  }

  #shiftOf(top: number): number {
    return Math.round(this.#canvasOf(top) - top);
  }

  #canvasOf(top: number): number {
    const total = this.total;
    if (total <= canvasMax || top <= zone) return top;
    if (top >= total - zone) return canvasMax - (total - top);
    return zone + (top - zone) * (canvasMax - 2 * zone) / (total - 2 * zone);
  }

  #listOf(scrolled: number): number {
    const total = this.total;
    if (total <= canvasMax || scrolled <= zone) return scrolled;
    if (scrolled >= canvasMax - zone) return total - (canvasMax - scrolled);
    return zone + (scrolled - zone) * (total - 2 * zone) / (canvasMax - 2 * zone);
  }
}
