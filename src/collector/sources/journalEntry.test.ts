/** Entries as journalctl 252 printed them for a journal that was made for this, expectations by hand. */
import t from "tap";
import { journalJson, journalLabels, parseJournalEntry } from "./journalEntry.ts";

const entry = (fields: string) =>
  parseJournalEntry(
    `{"__CURSOR":"s=ad7e;i=1","__REALTIME_TIMESTAMP":"1795997746876562",` +
      `"__MONOTONIC_TIMESTAMP":"1000","_BOOT_ID":"0123"${fields === "" ? "" : `,${fields}`}}`,
  );
const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString("latin1");

t.test("parseJournalEntry", (t) => {
  const plain = entry('"MESSAGE":"two\\nlines","PRIORITY":"3","_SYSTEMD_UNIT":"a.service"');
  t.equal(plain.cursor, "s=ad7e;i=1");
  t.equal(plain.realtimeUs, 1795997746876562);
  t.equal(text(plain.message), "two\nlines");
  t.strictSame(Object.fromEntries(plain.fields), {
    _BOOT_ID: "0123",
    MESSAGE: "two\nlines",
    PRIORITY: "3",
    _SYSTEMD_UNIT: "a.service",
  });
  const binary = entry('"MESSAGE":[98,105,110,0,255,10,32,120]');
  t.equal(text(binary.message), "bin\0\xff\n x", "bytes stay what they are");
  t.equal(binary.fields.get("MESSAGE"), "bin\0\uFFFD\n x");
  t.equal(entry('"MESSAGE":"x","TAG":["one","two"]').fields.get("TAG"), "two");
  t.equal(text(entry('"MESSAGE":[[98,27],[99]]').message), "c", "several values, not printable");
  t.equal(entry('"NOMSG":"1"').message, undefined);
  t.equal(entry('"MESSAGE":null').message, undefined);
  t.throws(() => parseJournalEntry('{"MESSAGE":"x"}'), /no __CURSOR/);
  t.throws(() => parseJournalEntry("-- Boot"), /JSON/);
  t.end();
});

t.test("journalLabels: lower case, the priority in words, constants", (t) => {
  const labels = (fields: string) => Object.fromEntries(journalLabels(entry(fields), { job: "j" }));
  t.strictSame(labels('"_SYSTEMD_UNIT":"a.service","PRIORITY":"2"'), {
    __journal__boot_id: "0123",
    __journal__systemd_unit: "a.service",
    __journal_priority: "2",
    __journal_priority_keyword: "crit",
    job: "j",
  });
  const words = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug", "8"];
  words.forEach((word, priority) =>
    t.equal(labels(`"PRIORITY":"${priority}"`)["__journal_priority_keyword"], word)
  );
  t.end();
});

t.test("journalJson: all fields, sorted", (t) => {
  t.equal(
    journalJson(entry('"PRIORITY":"6","MESSAGE":"a \\"b\\""')),
    '{"MESSAGE":"a \\"b\\"","PRIORITY":"6","_BOOT_ID":"0123"}',
  );
  t.end();
});
