// Reads and rewrites the label part of a query's text: `{app="a", env=~"b|c"}` and appended label filters. The server's
// parser is the authority on LogQL; this knows only enough to keep buttons and text in step.
// Invariant: text outside the selector is never changed, and what is not understood is left alone.

export type MatchOperator = "=" | "!=" | "=~" | "!~";

export interface Matcher {
  readonly name: string;
  readonly operator: MatchOperator;
  readonly value: string;
}

/** A selector and where its braces stand in the text; `end` is one past the closing brace. */
export interface Selector {
  readonly start: number;
  readonly end: number;
  readonly matchers: readonly Matcher[];
}

/** Finds the first selector. Gives "none" for a query without any, "unreadable" while one is half typed. */
export function readSelector(query: string): Selector | "none" | "unreadable" {
  const start = findOpeningBrace(query);
  if (start < 0) return /^\s*(\||$)/.test(query) ? "none" : "unreadable";
  const matchers: Matcher[] = [];
  let position = skipSpace(query, start + 1);
  if (query[position] === "}") return { start, end: position + 1, matchers };
  for (;;) {
    matcherHead.lastIndex = position;
    const head = matcherHead.exec(query);
    if (head === null) return "unreadable";
    const literal = readString(query, matcherHead.lastIndex);
    if (literal === undefined) return "unreadable";
    matchers.push({
      name: head[1] ?? "",
      operator: head[2] as MatchOperator,
      value: literal.value,
    });
    position = skipSpace(query, literal.end);
    if (query[position] === "}") return { start, end: position + 1, matchers };
    if (query[position] !== ",") return "unreadable";
    position = skipSpace(query, position + 1);
  }
}

/** Puts `matchers` in place of the query's selector; a selector left empty and alone vanishes. */
export function writeSelector(query: string, matchers: readonly Matcher[]): string {
  const selector = readSelector(query);
  if (selector === "unreadable") return query;
  const text = printSelector(matchers);
  if (selector === "none") {
    const pipeline = query.trim();
    return matchers.length === 0 ? pipeline : pipeline === "" ? text : `${text} ${pipeline}`;
  }
  const [before, after] = [query.slice(0, selector.start), query.slice(selector.end)];
  if (matchers.length === 0 && `${before}${after}`.trim() === "") return "";
  return `${before}${text}${after}`;
}

export function printSelector(matchers: readonly Matcher[]): string {
  return `{${matchers.map((m) => `${m.name}${m.operator}${quote(m.value)}`).join(", ")}}`;
}

/** The values of a label that the selector asks for by name: from `=`, and from `=~` when it lists plain words. */
export function chosenValues(matchers: readonly Matcher[], name: string): ReadonlySet<string> {
  const chosen = new Set<string>();
  for (const matcher of matchers) {
    if (matcher.name !== name) continue;
    for (const value of listedValues(matcher) ?? []) chosen.add(value);
  }
  return chosen;
}

/** Adds a value to those chosen for a label, or takes it away; other matchers of the label stay. */
export function toggleValue(query: string, name: string, value: string): string {
  const selector = readSelector(query);
  if (selector === "unreadable") return query;
  const matchers = selector === "none" ? [] : selector.matchers;
  const chosen = new Set(chosenValues(matchers, name));
  if (!chosen.delete(value)) chosen.add(value);
  return writeSelector(query, replaceChosen(matchers, name, [...chosen]));
}

/** Asks for (or against) one value of a stream label. */
export function filterLabel(query: string, name: string, value: string, keep: boolean): string {
  const selector = readSelector(query);
  if (selector === "unreadable") return query;
  const matchers = selector === "none" ? [] : selector.matchers;
  if (keep) return writeSelector(query, replaceChosen(matchers, name, [value]));
  const left = [...chosenValues(matchers, name)].filter((other) => other !== value);
  const kept = replaceChosen(matchers, name, left).filter((m) =>
    !(m.name === name && m.operator === "!=" && m.value === value)
  );
  const positive = kept.some((m) => m.operator === "=" || m.operator === "=~");
  const anchor: Matcher[] = positive ? [] : [{ name, operator: "=~", value: ".+" }];
  return writeSelector(query, [...anchor, ...kept, { name, operator: "!=", value }]);
}

/** Asks for (or against) one value of a field that is not a stream label, at the end of the pipeline. */
export function filterField(query: string, name: string, value: string, keep: boolean): string {
  const stage = `| ${name}${keep ? "=" : "!="}${quote(value)}`;
  const opposite = `| ${name}${keep ? "!=" : "="}${quote(value)}`;
  if (query.endsWith(stage)) return query;
  const base = query.endsWith(opposite)
    ? query.slice(0, -opposite.length).trimEnd()
    : query.trimEnd();
  // A comment runs to the end of its line, so a stage after one needs a line of its own.
  return `${base}${base.includes("#") ? "\n" : " "}${stage}`;
}

/** Asks for (or against) lines that hold a text or have a pattern. A line filter reads the line as it is stored, so it goes
 *  before the stages: right after the selector. */
export function filterLine(
  query: string,
  operator: "|=" | "!=" | "|>" | "!>",
  text: string,
): string {
  const selector = readSelector(query);
  if (typeof selector === "string") return query;
  const [before, after] = [query.slice(0, selector.end), query.slice(selector.end)];
  return `${before} ${operator} ${quote(text)}${after}`;
}

/** The query without its last pipeline stage; undefined when it has none, or none that can be told apart safely. */
export function withoutLastStage(query: string): string | undefined {
  const selector = readSelector(query);
  if (typeof selector === "string" || query.slice(0, selector.start).trim() !== "") {
    return undefined;
  }
  let last = -1;
  let previous = "}";
  for (let position = selector.end; position < query.length;) {
    const char = query[position] ?? "";
    if (char === "#") return undefined;
    if (char === '"' || char === "`") {
      const literal = readString(query, position);
      if (literal === undefined) return undefined;
      position = literal.end;
      previous = char;
      continue;
    }
    // After a name, "!=" compares; after a string or the selector it filters lines.
    const begins = char === "|" || (char === "!" && /["`}]/.test(previous));
    if (begins) last = position;
    if (!/\s/.test(char)) previous = char;
    position += begins ? 2 : 1;
  }
  return last < 0 ? undefined : query.slice(0, last).trimEnd();
}

/** Prints a string as LogQL reads it. */
export function quote(value: string): string {
  return JSON.stringify(value);
}

const matcherHead = /([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*/y;

function replaceChosen(
  matchers: readonly Matcher[],
  name: string,
  values: readonly string[],
): Matcher[] {
  const replacement: Matcher[] = values.length === 0
    ? []
    : values.length === 1
    ? [{ name, operator: "=", value: values[0] ?? "" }]
    : [{ name, operator: "=~", value: values.map(escapeRegex).join("|") }];
  const result: Matcher[] = [];
  for (const matcher of matchers) {
    const replaced = matcher.name === name && listedValues(matcher) !== undefined;
    result.push(...(replaced ? replacement.splice(0) : [matcher]));
  }
  return [...result, ...replacement];
}

/** The plain values a matcher lists, or undefined when it does anything else. */
function listedValues(matcher: Matcher): string[] | undefined {
  if (matcher.operator === "=") return [matcher.value];
  if (matcher.operator !== "=~") return undefined;
  const alternatives = matcher.value.match(/(?:\\[^]|[^\\|])+/g) ?? [];
  if (alternatives.length === 0 || alternatives.join("|") !== matcher.value) return undefined;
  const plain = /^(?:\\[^A-Za-z0-9]|[^\\^$.|?*+()[\]{}])+$/;
  if (!alternatives.every((alternative) => plain.test(alternative))) return undefined;
  return alternatives.map((alternative) => alternative.replace(/\\([^])/g, "$1"));
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
}

function findOpeningBrace(query: string): number {
  for (let position = 0; position < query.length;) {
    const char = query[position];
    if (char === "{") return position;
    if (char === "#") {
      const lineEnd = query.indexOf("\n", position);
      if (lineEnd < 0) return -1;
      position = lineEnd + 1;
    } else if (char === '"' || char === "`") {
      const literal = readString(query, position);
      if (literal === undefined) return -1;
      position = literal.end;
    } else position++;
  }
  return -1;
}

function skipSpace(query: string, position: number): number {
  while (/\s/.test(query[position] ?? "")) position++;
  return position;
}

/** Reads a string literal of LogQL that starts at `start`; undefined when none does or it has no end. */
export function readString(
  query: string,
  start: number,
): { value: string; end: number } | undefined {
  if (query[start] === "`") {
    const end = query.indexOf("`", start + 1);
    return end < 0 ? undefined : { value: query.slice(start + 1, end), end: end + 1 };
  }
  if (query[start] !== '"') return undefined;
  let end = start + 1;
  while (query[end] !== '"') {
    if (end >= query.length || query[end] === "\n") return undefined;
    end += query[end] === "\\" ? 2 : 1;
  }
  return { value: unescape(query.slice(start + 1, end)), end: end + 1 };
}

const simpleEscapes: Record<string, string> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unescape(text: string): string {
  return text.replace(
    /\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[0-7]{3}|.)/gi,
    (_, escape: string) => {
      const code = /^[xuU](.+)$/.exec(escape)?.[1];
      if (code !== undefined && code !== "") {
        return String.fromCodePoint(
          Math.min(parseInt(code, 16), 0x10ffff),
        );
      }
      if (/^[0-7]{3}$/.test(escape)) return String.fromCharCode(parseInt(escape, 8));
      return simpleEscapes[escape] ?? escape;
    },
  );
}
