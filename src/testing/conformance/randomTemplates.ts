/** Random templates of every function, with arguments of the types that each takes. Left out is only what the clock decides
 *  (`now`), and what would cut a text within a character. */
import type { Random } from "../random.ts";

/** A template with texts, actions and sometimes a condition. */
export function randomTemplate(random: Random): string {
  const actions = Array.from({ length: random.between(1, 3) }, () => action(random));
  return actions.join(random.pick([" ", "/", "", "=", ": "]));
}

function action(random: Random): string {
  if (!random.oneIn(4)) return `{{${random.pick(["", " ", "- "])}${output(random)} }}`;
  const condition = truth(random, 1);
  const otherwise = random.pick([
    "",
    `{{else}}${random.pick(["no", `{{${output(random)}}}`])}`,
    `{{else if ${truth(random, 0)}}}two{{else}}three`,
  ]);
  return `{{if ${condition}}}{{${output(random)}}}${otherwise}{{end}}`;
}

function output(random: Random): string {
  const piped = random.pick([text, text, text, whole, decimal, truth, anything])(random, 2);
  return piped.startsWith("(") && piped.endsWith(")") && isOnePair(piped)
    ? piped.slice(1, -1)
    : piped;
}

/** Whether the first parenthesis is the last one's partner. */
function isOnePair(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') at = text.indexOf('"', at + 1);
    else if (text[at] === "(") depth++;
    else if (text[at] === ")" && --depth === 0) return at === text.length - 1;
  }
  return false;
}

const field = (random: Random) =>
  random.pick([
    ".a",
    ".b",
    ".n",
    ".level",
    ".d",
    ".s",
    ".app",
    ".trace",
    ".nothing",
    ".a_b",
    ".status",
  ]);
const word = (random: Random) =>
  random.pick(['"a"', '"1"', '"in"', '"x"', '"="', '" "', '"é"', '"abc"', '"err"']);
const small = (random: Random) => random.pick(["0", "1", "2", "3", "5", "12"]);
/** A text of single bytes. */
const ascii = (random: Random) => `(${random.pick(["b64enc", "urlencode"])} ${text(random, 0)})`;

function text(random: Random, depth: number): string {
  if (depth === 0 || random.oneIn(5)) {
    return random.pick([field, field, field, field, word, () => "__line__"])(random);
  }
  const inner = () => text(random, depth - 1);
  const one = (name: string) => () =>
    random.oneIn(2) ? `(${name} ${inner()})` : `(${inner()} | ${name})`;
  return random.pick([
    ...["ToLower", "ToUpper", "lower", "upper", "title", "TrimSpace", "trim", "b64enc", "urlencode"]
      .map(one),
    ...["html", "js", "urlquery"].map(one),
    ...["Trim", "TrimLeft", "TrimRight", "TrimPrefix", "TrimSuffix"].map((name) => () =>
      `(${name} ${inner()} ${word(random)})`
    ),
    ...["trimAll", "trimPrefix", "trimSuffix"].map((name) => () =>
      `(${name} ${word(random)} ${inner()})`
    ),
    () => `(Replace ${inner()} ${word(random)} ${word(random)} ${random.pick(["-1", "1", "2"])})`,
    () => `(${inner()} | replace ${word(random)} ${word(random)})`,
    () => `(regexReplaceAll "([a-z0-9]+)=" ${inner()} ${random.pick(['"<${1}>"', '"x"', '""'])})`,
    () => `(regexReplaceAllLiteral "[0-9]+" ${inner()} "$1")`,
    () => `(trunc ${random.pick(["3", "0", "-2"])} ${ascii(random)})`,
    () =>
      `(substr ${random.pick(["0", "1", "-1"])} ${random.pick(["2", "-1", "99"])} ${
        ascii(random)
      })`,
    () => `(slice ${ascii(random)} 1 3)`,
    ...["repeat", "indent", "nindent", "alignLeft", "alignRight"].map((name) => () =>
      `(${name} ${small(random)} ${inner()})`
    ),
    () => `(default ${word(random)} ${inner()})`,
    () => `(b64dec (b64enc ${inner()}))`,
    () => `(urldecode (urlencode ${inner()}))`,
    () => `(print ${inner()} ${whole(random, 0)} ${decimal(random, 0)})`,
    () => `(println ${whole(random, 0)} ${inner()})`,
    () => `(printf "%s|%-6s|%6s|%q" ${inner()} ${inner()} ${inner()} ${inner()})`,
    () =>
      `(printf "%d %05d %.2f %t %x %v" ${whole(random, 1)} ${whole(random, 1)} ${
        decimal(random, 1)
      } ${truth(random, 1)} ${inner()} ${inner()})`,
    () => `(unixEpoch ${moment(random)})`,
    () => `(${moment(random)} | unixEpochMillis)`,
    () => `(unixEpochNanos ${moment(random)})`,
    () => `(${moment(random)} | date ${layout(random)})`,
    () => `(${random.pick(["and", "or"])} ${inner()} ${inner()})`,
  ])();
}

function whole(random: Random, depth: number): string {
  if (depth === 0) return small(random);
  const inner = () => whole(random, depth - 1);
  const loose = () => random.oneIn(2) ? inner() : field(random);
  return random.pick([
    () => `(int ${field(random)})`,
    () => `(len ${text(random, 1)})`,
    () => `(count "[a-z]" ${text(random, 1)})`,
    () => `(index ${ascii(random)} 0)`,
    ...["add", "sub", "mul", "div", "mod", "max", "min"].map((name) => () =>
      `(${name} ${loose()} ${loose()})`
    ),
  ])();
}

function decimal(random: Random, depth: number): string {
  if (depth === 0) return random.pick(["0.5", "2.25", "-1.5", "10.75"]);
  const inner = () => random.oneIn(2) ? decimal(random, depth - 1) : field(random);
  return random.pick([
    () => `(float64 ${field(random)})`,
    ...["addf", "subf", "mulf", "maxf", "minf"].map((name) => () =>
      `(${name} ${inner()} ${inner()})`
    ),
    () => `(divf ${inner()} ${random.pick(["2", "0.5", "4"])})`,
    ...["ceil", "floor"].map((name) => () => `(${name} ${inner()})`),
    () => `(round ${inner()} ${random.pick(["0", "1", "2"])})`,
    ...["bytes", "duration", "duration_seconds"].map((name) => () =>
      `(${name} ${random.pick([field(random), '"5s"', '"2KB"', '"0"'])})`
    ),
  ])();
}

function truth(random: Random, depth: number): string {
  if (depth === 0) return random.pick([field(random), "true", "false"]);
  return random.pick([
    ...["eq", "ne", "lt", "le", "gt", "ge"].map((name) => () =>
      random.oneIn(2)
        ? `(${name} ${text(random, 0)} ${word(random)})`
        : `(${name} ${whole(random, 1)} ${small(random)})`
    ),
    () => `(eq ${field(random)} "1" "2" "abc")`,
    ...["contains", "hasPrefix", "hasSuffix"].map((name) => () =>
      `(${name} ${word(random)} ${text(random, 1)})`
    ),
    () => `(not ${truth(random, depth - 1)})`,
    () => `(and ${truth(random, depth - 1)} ${truth(random, depth - 1)})`,
    () => `(or ${truth(random, depth - 1)} ${truth(random, depth - 1)})`,
  ])();
}

function moment(random: Random): string {
  return random.pick([
    "__timestamp__",
    "__timestamp__",
    '(unixToTime "1673798889")',
    '(unixToTime "1673798889902000000")',
    `(unixToTime ${field(random)})`,
    '(toDate "2006-01-02" "2024-05-06")',
    '(toDateInZone "2006-01-02" "Asia/Tokyo" "2024-05-06")',
  ]);
}

const layout = (random: Random) =>
  random.pick([
    '"2006-01-02"',
    '"15:04:05"',
    '"2006-01-02T15:04:05.000Z07:00"',
    '"15:04:05.000000000"',
  ]);

/** JSON, looked into. */
function anything(random: Random): string {
  return random.pick([
    '(fromJson "{}")',
    '(index (fromJson __line__) "a")',
    "(fromJson __line__).a",
    '(default "none" (fromJson __line__))',
  ]);
}
