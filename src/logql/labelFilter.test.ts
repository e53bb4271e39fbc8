/** Label filters from the query's text to the rows of a block: names, precedence, logic, errors,
 *  what needs no scan. */
import t from "tap";
import { parseLabels } from "../streams/labels.ts";
import { columnsOf, type ModelRow } from "../testing/modelRows.ts";
import { pipelineOf } from "../testing/pipelines.ts";
import { compilePipeline } from "./pipeline.ts";

/** "all", "none", or which of the rows' metadata pass. */
function verdictOf(
  pipeline: string,
  labels: string,
  metadata: ReadonlyArray<ModelRow["metadata"]>,
) {
  const stream = compilePipeline(pipelineOf(pipeline)).forStream(parseLabels(labels));
  if (stream === "none") return "none";
  const [verdict] = stream.filters;
  if (verdict === undefined) return stream.isPlain ? "all" : "stages";
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

t.test("numbers, durations, sizes and addresses: missing drops, unreadable stays with an error", (t) => {
  const rows: ModelRow["metadata"][] = [
    [],
    [["status", "500"]],
    [["status", "4e2"]],
    [["status", "abc"]],
    [["status", ""]],
    [["took", "1m0.5s"], ["size", "2KB"], ["addr", "10.1.2.3"]],
    [["took", "-1h"], ["size", "1.5 kib"], ["addr", "10.1.2.3:80"]],
    [["took", "1d"], ["size", "2 zb"], ["addr", "nowhere"]],
  ];
  const check = (pipeline: string, wanted: string, labels = '{app="x"}') =>
    t.equal(verdictOf(pipeline, labels, rows), wanted, pipeline);
  check("| status >= 500", "01011000");
  check("| status < 500", "00111000");
  check("| status = 400", "00111000");
  check("| status == 400", "00111000");
  check("| status != 400", "01011000");
  check('| status >= 500 | __error__=""', "01000000");
  check('| status >= 500 | __error__="LabelFilterErr"', "00011000");
  // Errors keep no row by themselves.
  check("| status >= 500 | status < 100", "00011000");
  check("| status >= 500 | took > 1h", "00000000");
  check("| took > 1m", "00000101");
  check("| took <= -1h", "00000011");
  check("| size >= 2000", "00000111");
  check("| size >= 2KB", "00000101");
  check("| size < 2kB", "00000011");
  check('| addr = ip("10.0.0.0/8")', "00000110");
  check('| addr != ip("10.0.0.0/8")', "00000001");
  check("| status >= 500 or took > 1m", "01011101");
  check("| status >= 500 and status < 600", "01011000");
  check('| status >= 500 and app="y"', "none");
  check("| port > 80", "all", '{port="443"}');
  check("| port > 443", "none", '{port="443"}');
  check("| port > 443", "11111111", '{port="x"}');
  check("| status > 1 | port > 443", "none", '{port="443"}');
  t.end();
});

t.test("metadata that the stream has the name of is called name_extracted, and is no label twice", (t) => {
  const twice = [["a", "2"], ["a_extracted", "m"]] as const;
  t.equal(verdictOf('| a_extracted="2"', '{a="1"}', [[["a", "2"]]]), "1");
  t.equal(verdictOf('| a_extracted="m"', '{a="1"}', [twice]), "1");
  t.equal(verdictOf('| a_extracted="s"', '{a="1", a_extracted="s"}', [twice]), "all");
  t.end();
});

t.test("verdicts of one stream are not another's, whatever the numbers of sets", (t) => {
  const filters = compilePipeline(pipelineOf('| a="1" and k="v" or a="2" and k!="v"'));
  const columns = columnsOf([{ timestamp: 0n, line: [], metadata: [["k", "v"]] }]);
  const block = { ...columns, sets: columns, rowStart: 0, rowEnd: 1 };
  const wants = filters.forStream([["a", "1"]]);
  const other = filters.forStream([["a", "2"]]);
  if (wants === "none" || other === "none") return t.fail("metadata decides");
  for (let round = 0; round < 3; round++) {
    t.equal(wants.filters[0]!.apply(block, Uint8Array.of(1)), 1);
    t.equal(other.filters[0]!.apply(block, Uint8Array.of(1)), 0);
    t.equal(wants.filters[0]!.apply(block, Uint8Array.of(0)), 0);
  }
  t.equal(filters.forStream([["a", "3"]]), "none");
  t.end();
});
