/** Which part of a log query selects streams, which filters stored lines, and which is left for
 *  later. */
import { Result } from "effect";
import t from "tap";
import { parseLogQuery } from "./parser.ts";
import { describePipeline, selectorMatchers } from "./pipelinePlan.ts";

t.test("describePipeline moves line filters in front where nothing changes by that", (t) => {
  const f = (pipeline: string, filters: string, stages: string) => {
    const query = Result.getOrThrow(parseLogQuery(`{app="x"} ${pipeline}`));
    const plan = describePipeline(query.pipeline);
    t.same(selectorMatchers(query.selector).map(({ name, op, value }) => name + op + value), [
      "app=x",
    ]);
    const texts = plan.filters.map(({ op, operands }) =>
      op + operands.map(({ value }) => value).join("/")
    );
    t.equal(texts.join(" "), filters, pipeline);
    t.equal(plan.stages.map(({ kind }) => kind).join(" "), stages, pipeline);
    t.same(structuredClone(plan), plan, "crosses threads");
  };
  f("", "", "");
  f('|= "a" or "b" != "c"', "|=a/b !=c", "");
  f('|= ip("::1") |> "<_>x"', "|=::1 |><_>x", "");
  f('| json |= "a"', "|=a", "JsonParser");
  f('| logfmt | drop x="1" |= "a" | keep y="2"', "|=a", "LogfmtParser DropLabels KeepLabels");
  f('|= "a" | x="1" |= "b"', "|=a |=b", "LabelFilter");
  f('|= "a" | line_format "{{.x}}" |= "b"', "|=a", "LineFormat LineFilter");
  f('|= "a" | unpack |= "b"', "|=a", "UnpackParser LineFilter");
  f('|= "a" | decolorize |= "b"', "|=a", "Decolorize LineFilter");
  t.end();
});
