/** Mutated queries and arbitrary text: always a tree that prints, or an error with a position
 *  within. */
import { Result } from "effect";
import fc from "fast-check";
import t from "tap";
import { mutate } from "../testing/conformance/mutations.ts";
import { conformanceQueries } from "../testing/conformance/suite.ts";
import { logQuery, metricExpr, withoutSpans } from "../testing/logqlTrees.ts";
import { randomFrom } from "../testing/random.ts";
import { parse } from "./parser.ts";
import { prettyPrint, print } from "./printer.ts";

/** Replay a failure with the seed it prints: SEED=123 node src/logql/parser.fuzz.test.ts */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
t.comment(`seed ${seed}`);

const fragment = fc.constantFrom(
  ..."{ } ( ) [ ] , = != =~ !~ |= |~ |> !> | == > < + - * / % ^ \" ` \\ # . : ; ' @ $ \n \t é 😀 \ud800"
    .split(" "),
  ...[
    "and",
    "or",
    "by",
    "ip(",
    "unwrap",
    "json",
    "offset",
    "[5m]",
    "5",
    "5m",
    "5KB",
    "--strict",
    "\\x",
  ],
);

/** A change at a place given as a share of the length. */
const mutation = fc.oneof(
  fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), insert: fragment, drop: fc.nat(3) }),
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    insert: fc.constant(""),
    drop: fc.nat(20),
  }),
);

t.test("parse answers any text with a tree or with a position", (t) => {
  const query = fc.oneof(logQuery, metricExpr).map(print);
  fc.assert(
    fc.property(query, fc.array(mutation, { minLength: 1, maxLength: 4 }), (query, mutations) => {
      let text = query;
      for (const { at, insert, drop } of mutations) {
        const index = Math.floor(at * text.length);
        text = text.slice(0, index) + insert + text.slice(index + drop);
      }
      checkParse(text);
    }),
    { seed, numRuns: 1500 },
  );
  t.end();
});

t.test("parse answers arbitrary characters too", (t) => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join("")),
  );
  fc.assert(fc.property(text, (text) => Result.isResult(parse(text))), { seed, numRuns: 2000 });
  t.end();
});

t.test("every conformance query that parses prints, and parses back to the same tree", (t) => {
  let parsed = 0;
  for (const query of conformanceQueries()) {
    if (checkParse(query)) parsed++;
  }
  t.ok(parsed > 900, `${parsed} queries`);
  t.end();
});

/** TAILRACE_FUZZ_QUERIES=1000000 tries a million. */
const mutations = Number(process.env.TAILRACE_FUZZ_QUERIES || 5000);
/** Longer is a bug, however the query looks; usual ones take some 10 us. */
const parseMillisMax = 1000;

t.test(`${mutations} mutated conformance queries never crash, hang or lack a position`, (t) => {
  const queries = conformanceQueries();
  const random = randomFrom(seed);
  let slowestMillis = 0;
  let slowest = "";
  let parsed = 0;
  for (let count = 0; count < mutations; count++) {
    const text = mutate(random.pick(queries), queries, random);
    const start = performance.now();
    parse(text);
    const millis = performance.now() - start;
    if (millis > slowestMillis) [slowestMillis, slowest] = [millis, text];
    if (checkParse(text)) parsed++;
  }
  t.ok(slowestMillis < parseMillisMax, `at most ${slowestMillis.toFixed(1)} ms, for ${slowest}`);
  t.comment(`${parsed} of ${mutations} still parse; slowest ${slowestMillis.toFixed(1)} ms`);
  t.end();
});

/** Whether the text parses. Throws unless it prints back to the same tree, or fails with a position in the text. */
function checkParse(text: string): boolean {
  const result = parse(text);
  if (Result.isFailure(result)) {
    const { line, column, offset, message } = result.failure;
    const lines = text.split("\n");
    const inside = offset >= 0 && offset <= text.length && line >= 1 && line <= lines.length &&
      column >= 1 && column <= lines[line - 1]!.length + 1;
    if (!inside) throw new Error(`${line}:${column} is not in ${JSON.stringify(text)}`);
    if (!message.startsWith(`parse error at line ${line}, col ${column}: `)) {
      throw new Error(`${JSON.stringify(text)}: ${message}`);
    }
    return false;
  }
  const tree = JSON.stringify(withoutSpans(result.success));
  for (const printed of [print(result.success), prettyPrint(result.success)]) {
    const again = parse(printed);
    if (Result.isFailure(again) || JSON.stringify(withoutSpans(again.success)) !== tree) {
      throw new Error(`${JSON.stringify(text)} prints as ${JSON.stringify(printed)}`);
    }
  }
  return true;
}
