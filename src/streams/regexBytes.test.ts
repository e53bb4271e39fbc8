/** The byte table against re2js on decoded text, at broken UTF-8, when full; and the limits of
 *  regexes. */
import fc from "fast-check";
import { RE2JS } from "re2js";
import t from "tap";
import { goString, line, pattern } from "../testing/regexes.ts";
import { byteSearch } from "./regexBytes.ts";
import { compileLineRegex, RegexInvalid } from "./regex.ts";

t.test("byteSearch answers as re2js does on the decoded line", (t) => {
  fc.assert(
    fc.property(pattern, fc.array(line, { minLength: 1, maxLength: 8 }), (regex, lines) => {
      const search = byteSearch(RE2JS.compile(regex));
      const reference = RE2JS.compile(regex);
      for (const bytes of lines) {
        // Neighbours that would change the answer if they were looked at.
        const padded = Uint8Array.of(0x61, ...bytes, 0xa9, 0x61);
        const expected = reference.matcher(goString(bytes)).find();
        if (search(padded, 1, bytes.length + 1) !== expected) {
          throw new Error(`${regex} on ${JSON.stringify(goString(bytes))}: expected ${expected}`);
        }
      }
    }),
    { numRuns: 800 },
  );
  t.end();
});

t.test("byteSearch reads every kind of broken UTF-8 as Go does", (t) => {
  const f = (regex: string, bytes: number[], expected: boolean) => {
    const found = byteSearch(RE2JS.compile(regex))(Uint8Array.from(bytes), 0, bytes.length);
    t.equal(found, expected, `${regex} on ${bytes.map((byte) => byte.toString(16))}`);
    t.equal(RE2JS.compile(regex).matcher(goString(Uint8Array.from(bytes))).find(), expected);
  };
  f("^.$", [0xc3, 0xa9], true);
  f("^..$", [0xc3, 0xa9], false);
  f("^.$", [0xff], true);
  f("^..$", [0xc3, 0x28], true);
  f("^...$", [0xe2, 0x82, 0x28], true);
  f("^..$", [0xe2, 0x82], true);
  f("^.$", [0xe2, 0x82, 0xac], true);
  f("^..$", [0xc0, 0x80], true);
  f("^...$", [0xed, 0xa0, 0x80], true);
  f("^....$", [0xf4, 0x90, 0x80, 0x80], true);
  f("^.$", [0xf4, 0x8f, 0xbf, 0xbf], true);
  f("^.$", [0xf0, 0x90, 0x80, 0x80], true);
  f("^....$", [0xf0, 0x8f, 0x80, 0x80], true);
  f("\\x{fffd}", [0x61, 0xff], true);
  f("\\x{fffd}", [0xef, 0xbf, 0xbd], true);
  f("é", [0xc3, 0xc3, 0xa9], true);
  f("^.é", [0xe2, 0xc3, 0xa9], true);
  t.end();
});

t.test("byteSearch stays right when its table overflows", (t) => {
  // The DFA remembers the last 14 characters: 16384 states.
  const regex = "a[ab]{13}$";
  const search = byteSearch(RE2JS.compile(regex));
  const native = new RegExp(regex);
  let random = 1;
  for (let i = 0; i < 400; i++) {
    let text = "";
    while (text.length < 300) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      text += random >>> 16 & 1 ? "a" : "b";
    }
    const bytes = new TextEncoder().encode(text);
    if (search(bytes, 0, bytes.length) !== native.test(text)) t.fail(text);
  }
  t.pass("400 lines");
  t.end();
});

t.test("a regex that would be slow elsewhere is not slow here", (t) => {
  // Backtracking would take 2^30 steps and more for each.
  const f = (regex: string, text: string, expected: boolean) => {
    const bytes = new TextEncoder().encode(text);
    t.equal(compileLineRegex(regex).matches(bytes, 0, bytes.length), expected, regex);
  };
  f("(a+)+$", "a".repeat(5000) + "b", false);
  f("(a|aa)*c", "a".repeat(5000), false);
  f("(a?){30}a{30}b", "a".repeat(5000), false);
  f("(x+x+)+y", "x".repeat(5000), false);
  f("(.*)(.*)(.*)(.*)(.*)[^a]$", "a".repeat(5000), false);
  t.end();
});

t.test("a regex over the limits is refused with the limit and a remedy", (t) => {
  const f = (regex: string, reason: RegExp) =>
    t.throws(() => compileLineRegex(regex), { name: "RegexInvalid", reason }, regex.slice(0, 40));
  f("(?:a{1000}){2}", /invalid repeat count/);
  f("[a-z]{1000}".repeat(20), /limit is 4096.*smaller/);
  f("((((a{10}){10}){10})b{5}){10}", /limit is 4096/);
  f("((((a{10}){10}){10})b){2}", /invalid repeat count/);
  f("a".repeat(16_385), /16385 bytes and the limit is 16384; split/);
  f("(".repeat(2000) + ")".repeat(2000), /nest/);
  t.ok(new RegexInvalid("(", "reason").message.includes('"("'));
  t.end();
});
