// The mapping of a list to an element that may be lower: exact small scrolls, reachable ends, places that stay.
import fc from "fast-check";
import t from "tap";
import { canvasMax, ScrollScale } from "./scrollScale.ts";

const view = 700;
const totals = fc.integer({ min: view, max: 200_000_000 });
// Not a double: most of those lie next to nothing.
const shares = fc.nat(999_999).map((millionths) => millionths / 1e6);

/** An element with a scale, as a list has them: what a browser would do with it. */
class Element {
  readonly scale = new ScrollScale();
  scrolled = 0;

  constructor(total: number) {
    this.scale.total = total;
  }

  get top(): number {
    return this.scrolled - this.scale.shift;
  }

  set(scrolled: number): void {
    this.scrolled = Math.max(0, Math.min(this.scale.canvas - view, scrolled));
  }

  /** The person scrolls; what a list does in its handler follows. */
  scroll(pixels: number): void {
    const before = this.scrolled;
    this.set(before + pixels);
    this.scale.scrolled(before, this.scrolled);
    if (this.scale.isStuck(this.scrolled)) this.set(this.scale.settle(this.scrolled));
  }

  rest(): void {
    if (this.scale.isAstray(this.scrolled)) this.set(this.scale.settle(this.scrolled));
  }
}

t.test("a list that fits is scrolled as it is", (t) => {
  fc.assert(fc.property(fc.integer({ min: view, max: canvasMax }), shares, (total, share) => {
    const element = new Element(total);
    element.scroll(Math.round(share * total));
    return element.scale.shift === 0 && element.scale.canvas === total;
  }));
  t.end();
});

t.test("wheels and keys move the list by as many pixels, wherever it is and whenever it rests", (t) => {
  const steps = fc.array(fc.tuple(fc.integer({ min: -3000, max: 3000 }), fc.boolean()), {
    maxLength: 300,
  });
  fc.assert(fc.property(totals, shares, steps, (total, share, moves) => {
    const element = new Element(total);
    element.set(element.scale.moveTo(Math.round(share * (total - view))));
    for (const [pixels, rests] of moves) {
      const wanted = Math.max(0, Math.min(total - view, element.top + pixels));
      element.scroll(pixels);
      if (element.top !== wanted) return false;
      if (rests) element.rest();
      if (element.top !== wanted) return false;
    }
    return true;
  }));
  t.end();
});

t.test("a flick of millions of pixels without a rest reaches the end exactly", (t) => {
  const total = 60_000_000;
  for (const away of [900_000, 2_500_000, 4_000_000]) {
    for (const direction of [-1, 1]) {
      const element = new Element(total);
      element.set(element.scale.moveTo(direction < 0 ? away : total - view - away));
      for (let moved = 0; moved < away; moved += 2000) element.scroll(direction * 2000);
      t.equal(element.top, direction < 0 ? 0 : total - view, `from ${away} ${direction}`);
    }
  }
  t.end();
});

t.test("the scrollbar's place is the list's, and both ends are reached", (t) => {
  fc.assert(fc.property(totals, shares, (total, share) => {
    const element = new Element(total);
    element.scroll(canvasMax);
    if (element.top !== total - view) return false;
    element.scroll(-canvasMax);
    if (element.top !== 0) return false;
    const { canvas } = element.scale;
    element.scroll(Math.round(share * (canvas - view)));
    const away = Math.abs(element.top / total - element.scrolled / canvas);
    const { scrolled } = element;
    element.rest();
    // A rest moves a scrollbar that is held no more than a rounding does.
    return away < 0.13 && Math.abs(element.scrolled - scrolled) <= 2;
  }));
  t.end();
});

t.test("what is in view stays when the list grows", (t) => {
  fc.assert(fc.property(totals, fc.nat(5_000_000), shares, (total, more, share) => {
    const element = new Element(total);
    const top = Math.round(share * (total - view));
    element.set(element.scale.moveTo(top));
    element.scale.total = total + more;
    element.rest();
    if (element.top !== top) return false;
    element.scroll(2000);
    return element.top === Math.min(top + 2000, total + more - view);
  }));
  t.end();
});
