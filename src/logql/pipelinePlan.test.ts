/** Which part of a log query selects streams, which filters stored lines, and which is left for
 *  later. */
import { Result } from "effect";
import t from "tap";
import { parseLogQuery } from "./parser.ts";
import { compilePipeline } from "./pipelinePlan.ts";

t.test("compilePipeline moves line filters in front where nothing changes by that", (t) => {
  const f = (pipeline: string, filters: string, stages: string) => {
    const plan = compilePipeline(Result.getOrThrow(parseLogQuery(`{app="x"} ${pipeline}`)));
    t.same(plan.matchers.map(({ name, op, value }) => name + op + value), ["app=x"]);
    const texts = plan.filters.map(({ op, operands }) =>
      op + operands.map(({ value }) => value).join("/")
    );
    t.equal(texts.join(" "), filters, pipeline);
    t.equal(plan.stages.map(({ kind }) => kind).join(" "), stages, pipeline);
    t.same(structuredClone(plan.filters), plan.filters, "crosses threads");
  };
  f("", "", "");
  f('|= "a" or "b" != "c"', "|=a/b !=c", "");
  f('|= ip("::1") |> "<_>x"', "|=::1 |><_>x", "");
  f('| json |= "a"', "|=a", "JsonParser");
  f('| logfmt | drop x="1" |= "a" | keep y="2"', "|=a", "LogfmtParser DropLabels KeepLabels");
  f('|= "a" | x="1" |= "b"', "|=a", "LabelFilter LineFilter");
  f('|= "a" | line_format "{{.x}}" |= "b"', "|=a", "LineFormat LineFilter");
  f('|= "a" | unpack |= "b"', "|=a", "UnpackParser LineFilter");
  f('|= "a" | decolorize |= "b"', "|=a", "Decolorize LineFilter");
  t.end();
});
