/** The cursor to go on from, against a plain list of all entries. */
import fc from "fast-check";
import t from "tap";
import { CursorTrail } from "./CursorTrail.ts";

t.test("the cursor of the last entry before what is held", (t) => {
  const trail = new CursorTrail("journal/a", undefined);
  t.equal(trail.positionBefore(), undefined, "nothing to go on from");
  t.equal(trail.next, 1);
  trail.add("a");
  t.equal(trail.positionBefore([1]), undefined, "the first entry is held");
  trail.add("b");
  trail.add("c");
  t.strictSame(trail.positionBefore([3]), { id: "journal/a", cursor: "b" });
  t.strictSame(trail.positionBefore(), { id: "journal/a", cursor: "c" });
  t.equal(new CursorTrail("x", "old").positionBefore([1])?.cursor, "old");
  t.equal(new CursorTrail("x", "old").last, "old");
  t.end();
});

t.test("never behind what is held, and never back", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(3000), fc.option(fc.nat(50))), { maxLength: 12 }),
      (steps) => {
        const trail = new CursorTrail("x", "0");
        let count = 0;
        let given = 0;
        let heldFrom = Infinity;
        for (const [added, held] of steps) {
          for (let index = 0; index < added; index++) trail.add(String(++count));
          // What is held stays or is let go; nothing that was let go is held again.
          heldFrom = held === null
            ? Infinity
            : Math.min(count + 1, Math.max(given + 1, count - held));
          const position = Number(
            trail.positionBefore(heldFrom === Infinity ? [] : [heldFrom])?.cursor,
          );
          if (!(position < heldFrom && position >= given)) return false;
          if (heldFrom === Infinity && position !== count) return false;
          given = position;
        }
        return true;
      },
    ),
  );
  t.end();
});
