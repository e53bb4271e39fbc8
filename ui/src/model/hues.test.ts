/** Colours of names: the first twelve differ and all keep theirs; and the style sheet's colours can be read on each ground, and
 *  told from one another, in both themes. */
import { readFileSync } from "node:fs";
import t from "tap";
import { Hues, huesCount } from "./hues.ts";

t.test("the first twelve values of a label differ, and each keeps its colour", (t) => {
  const hues = new Hues();
  const pods = Array.from({ length: 30 }, (_, i) => `shop-7d9f-${i}`);
  const first = pods.map((pod) => hues.of("pod", pod));
  t.equal(new Set(first.slice(0, huesCount)).size, huesCount);
  t.strictSame(pods.map((pod) => hues.of("pod", pod)), first);
  t.equal(hues.of("app", "shop"), 0, "another label begins anew");
  t.ok(first.every((hue) => hue >= 0 && hue < huesCount));
  t.end();
});

t.test("another view begins anew when there were more values than colours, and only then", (t) => {
  const hues = new Hues();
  for (let i = 0; i < 5; i++) hues.of("app", `${i}`);
  for (let i = 0; i < 13; i++) hues.of("pod", `${i}`);
  hues.begin();
  t.equal(hues.of("app", "4"), 4);
  t.equal(hues.of("pod", "7"), 0);
  t.equal(hues.of("pod", "1"), 1);
  t.end();
});

t.test("a flood of values is bounded", (t) => {
  const hues = new Hues();
  for (let i = 0; i < 20_000; i++) hues.of("pod", `${i}`);
  t.equal(hues.of("pod", "0"), 0);
  t.equal(hues.of("pod", "19999"), hues.of("pod", "another"));
  t.end();
});

const style = (name: string) => readFileSync(new URL(`../style/${name}`, import.meta.url), "utf8");

/** [light, dark] of a variable of base.css. */
function pair(text: string, name: string): [string, string] {
  const found = new RegExp(`${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(text);
  return [found![1]!, found![2]!];
}

const linear = (colour: string) =>
  [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);

/** Contrast as WCAG 2 defines it. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = linear(colour);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  return Math.max(luminance(a) / luminance(b), luminance(b) / luminance(a));
}

/** Distance in OKLab, which is even to the eye: 0.02 is just seen side by side. */
function distance(a: string, b: string): number {
  const lab = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = linear(colour);
    const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
    const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
    const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
    return [
      0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
      1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
  };
  const [other, one] = [lab(b), lab(a)];
  return Math.hypot(...one.map((part, i) => part - other[i]!));
}

t.test("each colour has a contrast of 4.5 on every ground, and differs from the others", (t) => {
  const list = style("list.css");
  const base = style("base.css");
  const grounds = ["--page", "--surface", "--raised", "--hover", "--chosen"]
    .map((name) => pair(base, name));
  const hues = Array.from(
    { length: huesCount },
    (_, i) => pair(list.slice(list.indexOf(`.hue-${i} {`)), "--hue"),
  );
  t.equal(new Set(hues.flat()).size, 2 * huesCount);
  for (const theme of [0, 1] as const) {
    for (const hue of hues) {
      for (const ground of grounds) {
        t.ok(contrast(hue[theme], ground[theme]) >= 4.5, `${hue[theme]} on ${ground[theme]}`);
      }
    }
    const nearest = (count: number) =>
      Math.min(
        ...hues.slice(0, count).flatMap((a, i) =>
          hues.slice(i + 1, count).map((b) => distance(a[theme], b[theme]))
        ),
      );
    t.ok(nearest(8) > 0.1, `eight panes: ${nearest(8)}`);
    t.ok(nearest(huesCount) > 0.07, `all: ${nearest(huesCount)}`);
  }
  t.end();
});
