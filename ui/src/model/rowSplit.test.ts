// RowSplit against filtering the whole list anew after every change.
import t from "tap";
import type { Row } from "./row.ts";
import { RowBuffer } from "./rowBuffer.ts";
import { RowGroups } from "./rowGroups.ts";
import { partsMax, RowSplit } from "./rowSplit.ts";

const entry = (pod: string, i: number): Row => ({
  kind: "entry",
  nanoseconds: String(i),
  line: `line ${i}`,
  stream: pod === "" ? {} : { pod },
});

t.test("each part has the rows of its value, whatever comes and goes", (t) => {
  const buffer = new RowBuffer(40 * 190);
  const groups = new RowGroups(buffer, "none");
  const split = new RowSplit(groups, "pod");
  let state = 7;
  for (let i = 0; i < 5000; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    const pod = ["a", "b", "c", ""][(state >> 8) % 4] ?? "";
    buffer.push(state % 50 === 0 ? { kind: "notice", text: "gap" } : entry(pod, i));
    if (state % 3 !== 0) continue;
    split.follow();
    for (const part of split.parts) {
      const wanted: number[] = [];
      for (let sequence = buffer.first; sequence < buffer.end; sequence++) {
        const row = buffer.at(sequence);
        if (row?.kind === "notice" || row?.stream.pod === (part.value || undefined)) {
          wanted.push(sequence);
        }
      }
      const found = Array.from({ length: part.size }, (_, place) => part.at(place));
      if (JSON.stringify(found) !== JSON.stringify(wanted)) t.strictSame(found, wanted);
      for (const [place, sequence] of wanted.entries()) {
        if (part.placeOf(sequence) !== place) t.equal(part.placeOf(sequence), place);
      }
    }
  }
  t.strictSame(split.parts.map(({ value }) => value), ["", "a", "b", "c"]);
  t.equal(split.parts[0]?.at(-1), undefined);
  t.end();
});

t.test("values beyond the most that are shown are counted", (t) => {
  const buffer = new RowBuffer(Infinity);
  for (let i = 0; i < partsMax + 3; i++) buffer.push(entry(`pod-${i}`, i));
  const split = new RowSplit(new RowGroups(buffer, "none"), "pod");
  t.equal(split.parts.length, partsMax);
  t.equal(split.othersCount, 3);
  t.end();
});
