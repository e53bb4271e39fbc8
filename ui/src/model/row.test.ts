// Tests of what a row shows: levels, sources, and text that could act on the page made harmless.
import t from "tap";
import { EntrySet } from "./entrySet.ts";
import { type Entry, entryName, levelOf, sourceOf, visibleText } from "./row.ts";

const entry = (more: Partial<Entry>): Entry => ({
  kind: "entry",
  nanoseconds: "1",
  line: "x",
  stream: {},
  ...more,
});

t.test("levelOf prefers what the server detected", (t) => {
  t.equal(
    levelOf(entry({ metadata: { detected_level: "Error" }, stream: { level: "info" } })),
    "error",
  );
  t.equal(levelOf(entry({ stream: { detected_level: "fatal" } })), "critical");
  t.equal(levelOf(entry({ stream: { level: "WARNING" } })), "warn");
  t.equal(levelOf(entry({ stream: { level: "loud" } })), "unknown");
  t.equal(levelOf(entry({})), "unknown");
  t.end();
});

t.test("sourceOf names the service, else the first label", (t) => {
  t.equal(sourceOf(entry({ stream: { service_name: "unknown_service", app: "a" } })), "a");
  t.equal(sourceOf(entry({ stream: { zone: "z" } })), "z");
  t.equal(sourceOf(entry({})), "");
  t.end();
});

t.test("visibleText leaves nothing that acts", (t) => {
  t.equal(visibleText("a\nb\r\tc\0", false), "a \u21b5 b\u240d\tc\u2400");
  t.equal(visibleText("a\nb", true), "a\nb");
  t.equal(visibleText("\x1b[31m \u202eevil", true), "\u241b[31m \\u202eevil");
  t.end();
});

t.test("EntrySet and entryName know an entry however its labels were grouped", (t) => {
  const grouped = entry({ stream: { app: "a" }, metadata: { trace: "t" } });
  const folded = entry({ stream: { trace: "t", app: "a" } });
  const other = entry({ stream: { app: "a" }, metadata: { trace: "u" } });
  const set = new EntrySet();
  t.ok(set.add(grouped));
  t.notOk(set.add(folded));
  t.ok(set.has(folded));
  t.notOk(set.has(other));
  t.notOk(set.has(entry({ ...grouped, nanoseconds: "2" })));
  t.equal(entryName(grouped), entryName(folded));
  t.not(entryName(grouped), entryName(other));
  t.end();
});
