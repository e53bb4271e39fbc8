/** Line filters on one line against the filters of queries, which are tested by hand. */
import fc from "fast-check";
import { Result } from "effect";
import t from "tap";
import type { LineFilter } from "../../logql/ast.ts";
import { compileLineFilters, describeLineFilter } from "../../logql/lineFilter.ts";
import { parseLogQuery } from "../../logql/parser.ts";
import type { LineBlock } from "../../streams/lineBlock.ts";
import { lineTest } from "./lineTest.ts";

function filterOf(text: string): LineFilter {
  const query = Result.getOrThrowWith(parseLogQuery(`{a="b"} ${text}`), (error) => error);
  return query.pipeline[0] as LineFilter;
}

function blockAnswer(filter: LineFilter, line: Uint8Array): boolean {
  const block: LineBlock = {
    lines: line,
    lineEnds: Uint32Array.of(line.length),
    rowStart: 0,
    rowEnd: 1,
    timestamps: new BigInt64Array(1),
    metaIds: new Uint32Array(1),
    sets: { setEnds: new Uint32Array(0), meta: new Uint8Array(0) },
  };
  const mask = Uint8Array.of(1);
  for (const each of compileLineFilters([describeLineFilter(filter)])) each.apply(block, mask);
  return mask[0] === 1;
}

const filters = [
  '|= "ab"',
  '!= "ab"',
  '|= ""',
  '!= ""',
  '|= "a" or "bb"',
  '!= "a" or "bb"',
  '|~ "a+b$"',
  '!~ "^b|ab"',
  '|~ "ab|b b"',
  '|~ "(?i)AB"',
  '|> "a<_>b"',
  '!> "<_>a"',
  '|= ip("10.0.0.0/8")',
].map((text) => [text, filterOf(text)] as const);

t.test("a line passes one as it passes the other", (t) => {
  const line = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "b", " ", "\n", "é"), maxLength: 8 }),
    fc.constantFrom("", "from 10.1.2.3 to x", "from 11.1.2.3 to x"),
  );
  fc.assert(
    fc.property(line, (text) => {
      const bytes = new TextEncoder().encode(`ab${text}ab`);
      for (const [source, filter] of filters) {
        const passes = lineTest(filter)(bytes, 2, bytes.length - 2);
        t.equal(
          passes,
          blockAnswer(filter, bytes.slice(2, -2)),
          `${source} on ${JSON.stringify(text)}`,
        );
      }
    }),
  );
  t.end();
});
