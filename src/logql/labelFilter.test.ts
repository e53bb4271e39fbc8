/** Label filters from the query's text to the rows of a block: names, precedence, logic, what is refused, what needs no scan. */
import { Result } from "effect";
import t from "tap";
import { parseLabels } from "../streams/labels.ts";
import { columnsOf, type ModelRow } from "../testing/modelRows.ts";
import { compileLabelFilters, describeLabelFilter, foldMetadata } from "./labelFilter.ts";
import { parseLogQuery } from "./parser.ts";

function filtersOf(pipeline: string) {
  const parsed = parseLogQuery(`{app="x"} ${pipeline}`);
  if (Result.isFailure(parsed)) throw new Error(parsed.failure.message);
  return parsed.success.pipeline.map((stage) => {
    if (stage.kind !== "LabelFilter") throw new Error(stage.kind);
    return describeLabelFilter(stage);
  });
}

/** "all", "none", or which of the rows' metadata pass. */
function verdictOf(
  pipeline: string,
  labels: string,
  metadata: ReadonlyArray<ModelRow["metadata"]>,
) {
  const descriptions = filtersOf(pipeline).map((description) => description!);
  const verdict = compileLabelFilters(structuredClone(descriptions)).forStream(parseLabels(labels));
  if (typeof verdict === "string") return verdict;
  const rows = metadata.map((metadata) => ({ timestamp: 0n, line: [], metadata }));
  const columns = columnsOf(rows);
  const mask = new Uint8Array(rows.length).fill(1);
  const left = verdict.apply(
    { ...columns, sets: columns, rowStart: 0, rowEnd: rows.length },
    mask,
  );
  t.equal(left, mask.reduce((sum, bit) => sum + bit, 0));
  return [...mask].join("");
}

t.test("label filters decide by stream labels where they can, else by metadata", (t) => {
  const rows: ModelRow["metadata"][] = [
    [],
    [["level", "error"]],
    [["level", "info"], ["trace_id", "ab12"]],
    [["level", "error"], ["trace_id", "cd"]],
    [["app", "meta"]],
    [["level", "error"]],
  ];
  const labels = '{app="x", host="h1"}';
  const check = (pipeline: string, wanted: string) =>
    t.equal(verdictOf(pipeline, labels, rows), wanted, pipeline);
  check('| level="error"', "010101");
  check('| level!="error"', "101010");
  check('| level=""', "100010");
  check('| trace_id=~"ab.*"', "001000");
  check('| trace_id=~"b"', "000000");
  check('| trace_id!~"ab.*"', "110111");
  check('| level="error" | trace_id=""', "010001");
  check('| level="error", trace_id=""', "010001");
  check('| level="error" trace_id=""', "010001");
  check('| level="error" and trace_id="" or level="info"', "011001");
  check('| level="error" and (trace_id="cd" or level="info")', "000100");
  check('| app="x"', "all");
  check('| app="meta"', "none");
  check('| app="x" | host=~"h2|h3"', "none");
  check('| app="x" or level="error"', "all");
  check('| app="y" or level="error"', "010101");
  check('| app="y" and level="error"', "none");
  check('| app_extracted="meta"', "000010");
  check('| app_extracted=""', "111101");
  check('| nothing=""', "111111");
  check('| __error__=""', "111111");
  t.equal(verdictOf('| level="error"', "{}", [[["leve", "error"], ["levels", "error"]]]), "0");
  t.end();
});

t.test("describeLabelFilter refuses what compares with anything but strings", (t) => {
  for (
    const pipeline of [
      "| status >= 500",
      "| took > 5s",
      "| size < 2KB",
      '| addr = ip("10.0.0.0/8")',
      '| level="error" and status = 500',
      '| status = 500 or level="error"',
    ]
  ) t.same(filtersOf(pipeline), [undefined], pipeline);
  t.end();
});

t.test("foldMetadata renames what a stream label hides, and no label twice", (t) => {
  const fold = (labels: string, metadata: ModelRow["metadata"]) =>
    Object.fromEntries(foldMetadata(parseLabels(labels), metadata));
  t.same(fold('{a="1"}', [["a", "2"], ["c", "3"]]), { a: "1", a_extracted: "2", c: "3" });
  t.same(fold('{a="1", a_extracted="s"}', [["a", "2"]]), { a: "1", a_extracted: "s" });
  t.same(fold('{a="1"}', [["a", "2"], ["a_extracted", "m"]]), { a: "1", a_extracted: "m" });
  const twice = [["a", "2"], ["a_extracted", "m"]] as const;
  t.equal(verdictOf('| a_extracted="m"', '{a="1"}', [twice]), "1");
  t.equal(verdictOf('| a_extracted="s"', '{a="1", a_extracted="s"}', [twice]), "all");
  t.end();
});

t.test("verdicts of one stream are not another's, whatever the numbers of sets", (t) => {
  const description = filtersOf('| a="1" and k="v" or a="2" and k!="v"')[0]!;
  const filters = compileLabelFilters([description]);
  const columns = columnsOf([{ timestamp: 0n, line: [], metadata: [["k", "v"]] }]);
  const block = { ...columns, sets: columns, rowStart: 0, rowEnd: 1 };
  const wants = filters.forStream([["a", "1"]]);
  const other = filters.forStream([["a", "2"]]);
  if (typeof wants === "string" || typeof other === "string") return t.fail("metadata decides");
  for (let round = 0; round < 3; round++) {
    t.equal(wants.apply(block, Uint8Array.of(1)), 1);
    t.equal(other.apply(block, Uint8Array.of(1)), 0);
    t.equal(wants.apply(block, Uint8Array.of(0)), 0);
  }
  t.equal(filters.forStream([["a", "3"]]), "none");
  t.end();
});
