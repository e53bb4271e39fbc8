/** The conformance files against the reference evaluator: both were written from the documentation, and must agree before
 *  either judges the engine. */
import t from "tap";
import { judge } from "../../src/testing/conformance/judge.ts";
import { answerByReference } from "../../src/testing/conformance/referenceAnswer.ts";
import { caseFiles, isForReference } from "../../src/testing/conformance/suite.ts";

for (const { name, sections } of caseFiles()) {
  t.test(name, (t) => {
    for (const { title, rows, cases } of sections) {
      for (const test of cases.filter(isForReference)) {
        const difference = judge(test, rows, answerByReference(test, rows));
        if (difference !== null) {
          t.same(difference.actual, difference.expected, `${test.place} ${title}: ${test.query}`);
        }
      }
    }
    t.pass(`${sections.flatMap(({ cases }) => cases).length} cases`);
    t.end();
  });
}
