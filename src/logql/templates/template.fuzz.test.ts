/** Templates put together at random: each is rendered, or refused with TemplateSyntaxError, or fails with
 *  TemplateFailed; nothing else is thrown, and what it says to read is what it reads. */
import fc from "fast-check";
import t from "tap";
import { sampleLabels, sampleLine, sampleTimestampNs } from "../../testing/templates.ts";
import { compileTemplate, logqlFunctions, TemplateFailed, TemplateSyntaxError } from "./mod.ts";

const operand: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(".app", ".json", ".status", ".missing", ".", "$", "$x", "nil", "true", "'é'"),
  fc.constantFrom("0", "-1", "3", "1.5", "1e3", "9223372036854775807", '""', '"%5.2f|%v"', "`a.*`"),
  fc.constantFrom("(fromJson .json).a.b", "(fromJson .json)", "__timestamp__", "now", "__line__"),
  fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text)),
);
const call = fc.tuple(
  fc.constantFrom(...logqlFunctions.keys(), "and", "or"),
  fc.array(operand, { maxLength: 4 }),
).map(([name, operands]) => [name, ...operands].join(" "));
const pipeline = fc.tuple(fc.oneof(operand, call), fc.array(call, { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest].join(" | "));
const { template } = fc.letrec<{ template: string; action: string }>((tie) => ({
  template: fc.array(fc.oneof(fc.constantFrom(" text ", "\n"), tie("action")), { maxLength: 3 })
    .map((parts) => parts.join("")),
  action: fc.oneof(
    { depthSize: "small" },
    pipeline.map((text) => `{{${text}}}`),
    pipeline.map((text) => `{{- $x := ${text} -}}`),
    fc.tuple(fc.constantFrom("if", "with", "range"), pipeline, tie("template"), tie("template"))
      .map(([word, text, body, other]) => `{{${word} ${text}}}${body}{{else}}${other}{{end}}`),
    fc.tuple(pipeline, tie("template"))
      .map(([text, body]) => `{{range $i, $x := ${text}}}${body}{{break}}{{end}}`),
  ),
}));

/** Renders and answers what happened; throws what must not be thrown. */
function outcomeOf(text: string): "rendered" | "refused" | "failed" {
  try {
    const compiled = compileTemplate(text);
    const { labelNames } = compiled;
    const mayRead = (name: string) => labelNames === "all" || labelNames.has(name);
    compiled.render({
      label(name) {
        if (!mayRead(name)) throw new Error(`reads ${name}, which is not among its labels`);
        return sampleLabels[name];
      },
      labels() {
        if (labelNames !== "all") throw new Error("reads all labels without saying so");
        return Object.entries(sampleLabels);
      },
      line() {
        if (!compiled.readsLine) throw new Error("reads the line without saying so");
        return sampleLine;
      },
      timestampNs() {
        if (!compiled.readsTimestamp) throw new Error("reads the time without saying so");
        return sampleTimestampNs;
      },
    });
    return "rendered";
  } catch (error) {
    if (error instanceof TemplateSyntaxError) return "refused";
    if (error instanceof TemplateFailed) return "failed";
    throw error;
  }
}

t.test("templates of every function and shape", (t) => {
  const counts = { rendered: 0, refused: 0, failed: 0 };
  fc.assert(
    fc.property(template, (text) => {
      counts[outcomeOf(text)]++;
    }),
    { numRuns: 5000 },
  );
  t.ok(counts.rendered > 500 && counts.failed > 500, `both happen: ${JSON.stringify(counts)}`);
  t.end();
});

t.test("damaged templates are refused with a position, or run", (t) => {
  const damaged = fc.tuple(template, fc.nat(), fc.nat(8), fc.string({ maxLength: 4 })).map(
    ([text, at, removed, added]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + added + text.slice(start + removed);
    },
  );
  fc.assert(
    fc.property(damaged, (text) => {
      outcomeOf(text);
      try {
        compileTemplate(text);
      } catch (error) {
        const { offset, reason } = error as TemplateSyntaxError;
        return offset >= 0 && offset <= text.length && reason !== "";
      }
      return true;
    }),
    { numRuns: 5000 },
  );
  t.end();
});
