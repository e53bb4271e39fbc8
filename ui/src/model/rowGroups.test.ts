// Folding of repeated rows against a model that folds the buffer's present content from scratch.
import fc from "fast-check";
import t from "tap";
import { RowBuffer } from "./rowBuffer.ts";
import { RowGroups, type Sameness } from "./rowGroups.ts";

const entry = (line: string) => ({ kind: "entry" as const, nanoseconds: "1", line, stream: {} });

function read(groups: RowGroups): [string, number][] {
  const found: [string, number][] = [];
  for (let sequence = groups.first; sequence < groups.end; sequence++) {
    const row = groups.at(sequence);
    found.push([row?.kind === "entry" ? row.line : "", groups.count(sequence)]);
  }
  return found;
}

t.test("groups are runs of equal lines, also while rows come and leave", (t) => {
  const letters = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 40 });
  fc.assert(fc.property(fc.array(letters, { maxLength: 6 }), (batches) => {
    const buffer = new RowBuffer(2000);
    const groups = new RowGroups(buffer, "exact");
    let firstBefore = 0;
    for (const batch of batches) {
      for (const line of batch) buffer.push(entry(line));
      groups.follow();
      const wanted: [string, number][] = [];
      for (let i = buffer.first; i < buffer.end; i++) {
        const row = buffer.at(i);
        const line = row?.kind === "entry" ? row.line : "";
        const last = wanted.at(-1);
        if (last?.[0] === line) last[1]++;
        else wanted.push([line, 1]);
      }
      t.strictSame(read(groups), wanted);
      t.ok(groups.first >= firstBefore, "names of groups never change");
      firstBefore = groups.first;
    }
  }));
  t.end();
});

t.test("what counts as the same", (t) => {
  const lines = ["took 12 ms", "took 7 ms", "took 7 ms", "gone 7 s", "a=1, b", "c=2, d"];
  const f = (sameness: Sameness, counts: number[]) => {
    const buffer = new RowBuffer(Infinity);
    for (const line of lines) buffer.push(entry(line));
    const groups = new RowGroups(buffer, sameness);
    groups.follow();
    t.strictSame(read(groups).map(([, count]) => count), counts, sameness);
  };
  f("none", [1, 1, 1, 1, 1, 1]);
  f("exact", [1, 2, 1, 1, 1]);
  f("numbers", [3, 1, 1, 1]);
  f("signature", [4, 2]);
  t.end();
});
