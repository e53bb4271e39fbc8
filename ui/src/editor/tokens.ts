// Cuts LogQL into coloured pieces, also while it is half written. The parser (check.ts) says what is right; this never
// fails. Invariant: tokens ascend and do not overlap; what no token covers is blank.

export type TokenKind =
  | "string"
  | "unclosed"
  | "comment"
  | "number"
  | "function"
  | "keyword"
  | "name"
  | "operator"
  | "bracket";

export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export const stages: readonly (readonly [name: string, words: string])[] = [
  ["json", "members of a JSON line as fields"],
  ["logfmt", "key=value pairs of the line as fields"],
  ["pattern", "parts of the line by a pattern: <ip> - <_>"],
  ["regexp", "named groups of an expression as fields"],
  ["unpack", "what Promtail's pack stage packed"],
  ["line_format", "writes the line anew from a template"],
  ["label_format", "renames or computes fields"],
  ["decolorize", "takes terminal colours away"],
  ["drop", "takes fields away"],
  ["keep", "keeps only these fields"],
  ["unwrap", "the field whose number is aggregated"],
];

export const rangeFunctions: readonly (readonly [name: string, words: string])[] = [
  ["count_over_time", "lines in the range"],
  ["rate", "lines per second"],
  ["bytes_over_time", "bytes in the range"],
  ["bytes_rate", "bytes per second"],
  ["absent_over_time", "1 where there are no lines"],
  ["sum_over_time", "sum of an unwrapped field"],
  ["avg_over_time", "average of an unwrapped field"],
  ["min_over_time", "least of an unwrapped field"],
  ["max_over_time", "most of an unwrapped field"],
  ["quantile_over_time", "quantile of an unwrapped field"],
  ["stddev_over_time", "standard deviation of an unwrapped field"],
  ["stdvar_over_time", "variance of an unwrapped field"],
  ["first_over_time", "first value of an unwrapped field"],
  ["last_over_time", "last value of an unwrapped field"],
  ["rate_counter", "rate of an unwrapped counter"],
];

export const aggregations: readonly (readonly [name: string, words: string])[] = [
  ["sum", "sum over series"],
  ["avg", "average over series"],
  ["min", "least of the series"],
  ["max", "most of the series"],
  ["count", "how many series"],
  ["topk", "the k largest series"],
  ["bottomk", "the k smallest series"],
  ["approx_topk", "the k largest, approximately"],
  ["stddev", "standard deviation over series"],
  ["stdvar", "variance over series"],
  ["sort", "ascending"],
  ["sort_desc", "descending"],
  ["label_replace", "a label from another by an expression"],
  ["vector", "a number as a series"],
];

const keywords = new Set([
  ..."by without on ignoring group_left group_right offset bool and or unless".split(" "),
  ...stages.map(([name]) => name),
]);
const functions = new Set([...rangeFunctions, ...aggregations].map(([name]) => name).concat("ip"));

/** One group for each kind, tried in this order. */
const form = new RegExp(
  [
    /(?<comment>#[^\n]*)/,
    /(?<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)/,
    /(?<unclosed>"(?:\\.|[^"\\\n])*\\?|`[^`]*)/,
    /(?<number>(?:\d|\.\d)[\w.]*|\[[\w$ {}]*\])/,
    /(?<word>[A-Za-z_]\w*|\$[\w{}]+)/,
    /(?<operator>\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[|=<>+\-*/%^!])/,
    /(?<bracket>[(){}[\],])/,
  ].map(({ source }) => source).join("|"),
  "g",
);

/** The tokens of a text. A word is a keyword or function only where it is followed by what makes it one. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  for (const match of text.matchAll(form)) {
    const [found] = match;
    const start = match.index;
    const end = start + found.length;
    if (found === "{") depth++;
    if (found === "}") depth--;
    const [name] = Object.entries(match.groups ?? {}).find(([, part]) => part !== undefined) ?? [];
    const kind = name === "word" ? kindOfWord(found, text.slice(end), depth > 0) : name;
    tokens.push({ kind: kind as TokenKind, start, end, text: found });
  }
  return tokens;
}

function kindOfWord(word: string, after: string, inSelector: boolean): TokenKind {
  const compares = /^\s*(?:=|!=|!~|>|<)/.test(after);
  if (inSelector || compares) return "name";
  if (functions.has(word)) return "function";
  return keywords.has(word) ? "keyword" : "name";
}
