/** Mutates query texts: characters and tokens dropped, doubled, swapped, replaced, and pieces of other queries put in. */
import type { Random } from "../random.ts";

/** One to five changes. `others` lend pieces. */
export function mutate(query: string, others: ReadonlyArray<string>, random: Random): string {
  let text = query;
  for (let changes = random.pick([1, 1, 1, 2, 2, 5]); changes > 0; changes--) {
    const at = random.below(text.length + 1);
    const end = Math.min(text.length, at + random.between(1, random.pick([1, 3, 20])));
    text = text.slice(0, at) + replacement(text.slice(at, end), others, random) + text.slice(end);
  }
  return text;
}

/** What stands in for a piece; longer than it is only by little, so that queries stay short. */
function replacement(piece: string, others: ReadonlyArray<string>, random: Random): string {
  switch (random.below(8)) {
    case 0:
    case 1:
      return "";
    case 2:
      return piece + piece;
    case 3:
      return [...piece].reverse().join("");
    case 4:
      return String.fromCodePoint(random.pick([random.below(128), random.below(0xd800), 0x1f600]));
    case 5: {
      const other = random.pick(others);
      const start = random.below(other.length + 1);
      return other.slice(start, start + random.between(1, 30));
    }
    default:
      return random.pick(tokens) + (random.oneIn(2) ? piece : "");
  }
}

const tokens = [
  ..."{}()[],|=!~<>+-*/%^\"`\\#.:;'@$ \n\t\u0000\ud800é😀0159".split(""),
  ...[
    "|=",
    "!=",
    "=~",
    "!~",
    "|~",
    "|>",
    "!>",
    ">=",
    "==",
    "--strict",
    "#x\n",
    "((((",
    "))))",
    "{{",
    "}}",
  ],
  ...[
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "bool",
    "offset",
    "of",
  ],
  ...[
    "sum",
    "rate",
    "topk",
    "quantile_over_time",
    "label_replace",
    "vector",
    "variants",
    "sort",
    "ip(",
  ],
  ...[
    "json",
    "logfmt",
    "pattern",
    "regexp",
    "unpack",
    "unwrap",
    "drop",
    "keep",
    "line_format",
    "decolorize",
  ],
  ...[
    "[5m]",
    "[1h30m]",
    "5m",
    "-5m",
    "1e309",
    "1e-400",
    "9223372036854775807",
    "99999y",
    "20KiB",
    ".5",
    "5.",
    "0x1",
  ],
  ...[
    '"a{0,1000}"',
    '"(((a)*)*)*b"',
    '"\\\\xff"',
    '"<_><a>"',
    '"\\u0000"',
    "`\\p{Greek}`",
    '"(?P<a>b)"',
    '"a.b[0]"',
  ],
];
