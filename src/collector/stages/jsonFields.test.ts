/** The quick way through JSON against JSON.parse: on usual lines it answers, and whatever it answers is the same, also
 *  for damaged lines. */
import t from "tap";
import { type Random, randomFrom, seedFrom } from "../../testing/random.ts";
import { JsonFields } from "./jsonFields.ts";

const names = ["level", "status", "msg", ""];
const fields = new JsonFields(names);

/** What the quick way says; undefined if it leaves the line to others. */
function quick(text: string | Uint8Array): ReadonlyArray<unknown> | undefined {
  const line = typeof text === "string" ? new TextEncoder().encode(text) : text;
  // Within other bytes that would change it.
  const bytes = new Uint8Array(line.byteLength + 2).fill(0x31);
  bytes.set(line, 1);
  if (!fields.find(bytes, 1, line.byteLength + 1)) return undefined;
  return names.map((_, index) => fields.value(index));
}

/** What JSON.parse says; undefined if the line is no object or a value no plain one. */
function parsed(text: string | Uint8Array): ReadonlyArray<unknown> | undefined {
  try {
    const line = typeof text === "string"
      ? text
      : new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
    const value = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const values = names.map((name) => Object.hasOwn(value, name) ? value[name] : null);
    return values.every((value) => typeof value !== "object" || value === null)
      ? values
      : undefined;
  } catch {
    return undefined;
  }
}

t.test("usual lines are read without JSON.parse", (t) => {
  const f = (text: string) => {
    t.not(quick(text), undefined, text);
    t.strictSame(quick(text), parsed(text), text);
  };
  f("{}");
  f(" { } \t\r\n");
  f('{"level":"info"}');
  f('{"level":"info","status":200,"msg":"hello"}');
  f('{ "level" : "wärn 😀" , "status" : -0.5e+3 }');
  f('{"status":true,"level":false,"msg":null}');
  f('{"a":{"level":"no","b":[1,[],{},"x"]},"level":"yes","c":"an \\"escape\\\\ \\n"}');
  f('{"level":"first","level":"last"}');
  f('{"":"empty","level":""}');
  f('{"status":0,"msg":"' + "x".repeat(1000) + '"}');
  f('{"__proto__":1,"level":"info"}');
  f('{"levels":1,"leve":2,"level":3}');
  t.end();
});

t.test("what is unusual or no JSON is left to it", (t) => {
  const f = (text: string) => t.equal(quick(text), undefined, text);
  for (const text of ["", " ", "{", "[1]", "null", "text", "{}x", "{},", "\ufeff{}"]) f(text);
  for (const number of ["01", "-", "+1", "1.", ".5", "1e", "0x1", "NaN", "1_0"]) {
    f(`{"status":${number}}`);
    f(`{"other":${number}}`);
  }
  f('{"level":"a\\"b"}');
  f('{"lev\\u0065l":"a"}');
  f('{"level":{"a":1}}');
  f('{"level":"a",}');
  f('{"level":"a" "msg":"b"}');
  f('{"level":"a\nb"}');
  f('{"other":"a\\xb"}');
  f('{"other":tru}');
  f(`{"other":${"[".repeat(100)}${"]".repeat(100)}}`);
  t.end();
});

t.test("random lines, whole and damaged, mean what JSON.parse says", (t) => {
  const seed = seedFrom("TAILRACE_JSON_SEED");
  t.comment(`seed ${seed}: TAILRACE_JSON_SEED=${seed} repeats this run`);
  const random = randomFrom(seed);
  let answered = 0;
  for (let run = 0; run < 20_000; run++) {
    const line = new TextEncoder().encode(randomObject(random, 0));
    if (random.oneIn(2)) damage(line, random);
    const found = quick(line);
    if (found === undefined) continue;
    answered++;
    const expected = parsed(line);
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      t.strictSame(found, expected, new TextDecoder().decode(line));
      break;
    }
  }
  t.ok(answered > 5_000, `${answered} were answered`);
  t.end();
});

function randomObject(random: Random, depth: number): string {
  const members = Array.from({ length: random.below(6) }, () => {
    const name = random.pick([...names, "other", "k", "level\\n", "é"]);
    return `${space(random)}"${name}"${space(random)}:${space(random)}${
      randomValue(random, depth)
    }`;
  });
  return `{${members.join(`${space(random)},`)}${space(random)}}`;
}

function randomValue(random: Random, depth: number): string {
  const kind = random.below(depth > 3 ? 6 : 8);
  if (kind === 6) return randomObject(random, depth + 1);
  if (kind === 7) {
    const count = random.below(4);
    return `[${Array.from({ length: count }, () => randomValue(random, depth + 1)).join(",")}]`;
  }
  if (kind > 3) return random.pick(["0", "-1", "12.50", "1e5", "-0.1E-2", "true", "false", "null"]);
  return JSON.stringify(
    random.pick(["info", "warn", 'a"b', "tab\t", "", "ü😀", "x".repeat(random.below(20))]),
  );
}

function space(random: Random): string {
  return random.pick(["", "", "", " ", "\t "]);
}

function damage(line: Uint8Array, random: Random): void {
  for (let count = random.between(1, 2); count > 0; count--) {
    const byte = random.pick(
      [...'{}[]",:\\ 01.-eu\n'].map((text) => text.charCodeAt(0)).concat(0xc3, 0xff),
    );
    line[random.below(line.byteLength)] = byte;
  }
}
