/** Lines that were sent while others before them were held back. */
import t from "tap";
import { DoneLines, type Progress } from "./DoneLines.ts";
import { LineColumns } from "./lineSink.ts";

/** Where the lines begin that are read again, of lines of 10 bytes from `from` on. */
function readAgain(progress: Progress, from: number, count: number): ReadonlyArray<number> {
  const columns = new LineColumns();
  columns.clear(new Uint8Array(10 * count), from);
  for (let line = 0; line < count; line++) columns.add(10 * line, 10 * line + 9);
  new DoneLines(progress).passOver(columns);
  return Array.from({ length: columns.count }, (_, index) => {
    t.equal(columns.ends[index]! - columns.starts[index]!, 9);
    return columns.offset + columns.starts[index]!;
  });
}

t.test("what was held is read again, and what is new", (t) => {
  const progress = new DoneLines({ offset: 0 }).progress(50, [10, 30]);
  t.strictSame(progress, { offset: 10, doneUntil: 50, held: [10, 30] });
  t.strictSame(readAgain(progress, 10, 6), [10, 30, 50, 60]);
  t.strictSame(readAgain(progress, 40, 2), [50]);
  t.strictSame(readAgain(progress, 50, 2), [50, 60]);
  t.end();
});

t.test("a position says nothing more when nothing is held", (t) => {
  t.strictSame(new DoneLines({ offset: 0 }).progress(50, []), { offset: 50 });
  t.strictSame(readAgain({ offset: 50 }, 50, 2), [50, 60]);
  t.end();
});

t.test("it lasts over several restarts, until all that was held has been read again", (t) => {
  const again = new DoneLines({ offset: 10, doneUntil: 80, held: [10, 40, 60] });
  // Up to 50 has been read again: 10 is done now, 40 is held once more.
  const progress = again.progress(50, [40]);
  t.strictSame(progress, { offset: 40, doneUntil: 80, held: [40, 60] });
  t.strictSame(readAgain(progress, 40, 5), [40, 60, 80]);
  t.strictSame(again.progress(50, []), { offset: 50, doneUntil: 80, held: [60] });
  t.strictSame(again.progress(90, [60]), { offset: 60, doneUntil: 90, held: [60] });
  t.end();
});

t.test("it is bounded", (t) => {
  const held = Array.from({ length: 2000 }, (_, index) => 10 * index);
  t.strictSame(new DoneLines({ offset: 0 }).progress(1e6, held), { offset: 0 });
  t.end();
});
