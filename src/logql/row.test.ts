/** Rows of labels: names that only other rows have. Stages' tests cover the rest. */
import t from "tap";
import { NameTable } from "./nameTable.ts";
import { Row } from "./row.ts";

t.test("a name that was met after the row had made room is no label of it", (t) => {
  const names = new NameTable(true);
  const row = new Row(names);
  const slots = Array.from({ length: 100 }, (_, index) => names.require(`name${index}`));
  for (const slot of slots) {
    t.equal(row.has(slot), false);
    t.equal(row.text(slot), undefined);
  }
  t.end();
});
