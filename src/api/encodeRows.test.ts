/** Rows as Loki's streams, checked by parsing the JSON again. */
import { Effect } from "effect";
import t from "tap";
import { encodeMetadata } from "../streams/metadata.ts";
import { encodeStreams, encodeStreamsInTurns } from "./encodeRows.ts";

const encoder = new TextEncoder();
const row = (
  time: bigint,
  labels: string,
  line: string | Uint8Array,
  metadata: [string, string][] = [],
  parsed: [string, string][] = [],
) => ({
  time,
  labels,
  line: typeof line === "string" ? encoder.encode(line) : line,
  meta: encodeMetadata(metadata),
  parsed: encodeMetadata(parsed),
});

t.test("encodeStreams groups by full label set, ordered by labels", (t) => {
  const rows = [
    row(3n, '{b="1"}', "x"),
    row(2n, '{a="1"}', 'quote " back \\ tab \t nul \0'),
    row(1n, '{b="1"}', "y", [["level", "info"]]),
    row(-1n, '{b="1"}', "z"),
  ];
  t.same(JSON.parse(encodeStreams(rows, false)), [
    { stream: { a: "1" }, values: [["2", 'quote " back \\ tab \t nul \0']] },
    { stream: { b: "1", level: "info" }, values: [["1", "y"]] },
    { stream: { b: "1" }, values: [["3", "x"], ["-1", "z"]] },
  ]);
  t.same(JSON.parse(encodeStreams(rows, true)), [
    { stream: { a: "1" }, values: [["2", 'quote " back \\ tab \t nul \0', {}]] },
    {
      stream: { b: "1" },
      values: [["3", "x", {}], ["1", "y", { structuredMetadata: { level: "info" } }], [
        "-1",
        "z",
        {},
      ]],
    },
  ]);
  const parsed = [
    row(1n, '{b="1"}', "x", [["b", "m"], ["c", ""]], [["app", ""], ["d", "1"]]),
    row(1n, '{b="1", d="1"}', "y", [["b", "m"], ["c", ""]], [["app", ""]]),
  ];
  t.same(JSON.parse(encodeStreams(parsed, false)), [
    {
      stream: { app: "", b: "1", b_extracted: "m", c: "", d: "1" },
      values: [["1", "x"], ["1", "y"]],
    },
  ]);
  const structuredMetadata = { b_extracted: "m", c: "" };
  t.same(JSON.parse(encodeStreams(parsed, true)), [
    {
      stream: { b: "1", d: "1" },
      values: [["1", "y", { structuredMetadata, parsed: { app: "" } }]],
    },
    {
      stream: { b: "1" },
      values: [["1", "x", { structuredMetadata, parsed: { app: "", d: "1" } }]],
    },
  ]);
  t.equal(encodeStreams([], false), "[]");
  t.end();
});

t.test("encodeStreams renames metadata that a stream label hides, and replaces bytes that are not UTF-8", (t) => {
  const bad = new Uint8Array([0x61, 0xff, 0xef, 0xbb, 0xbf]);
  t.same(JSON.parse(encodeStreams([row(1n, '{a="1"}', bad, [["a", "2"], ["c", "3"]])], false)), [
    { stream: { a: "1", a_extracted: "2", c: "3" }, values: [["1", "a\ufffd\ufeff"]] },
  ]);
  t.end();
});

t.test("encodeStreamsInTurns writes what encodeStreams writes, and lets others have their turn", async (t) => {
  const rows = Array.from(
    { length: 3000 },
    (_, index) =>
      row(BigInt(index), `{a="${index % 7}"}`, `\u00e9 ${index} ${"x".repeat(2000)}`, [["k", "v"]]),
  );
  for (const categorize of [false, true]) {
    for (const some of [rows, rows.slice(0, 1), []]) {
      let turns = 0;
      const counting = setInterval(() => turns++, 0);
      const pieces = await Effect.runPromise(encodeStreamsInTurns(some, categorize));
      clearInterval(counting);
      t.equal(Buffer.concat(pieces).toString(), encodeStreams(some, categorize));
      if (some === rows) t.ok(turns >= 3, `${turns} turns of others`);
    }
  }
});
