/** Which literal texts a regex needs: what an index looks up for a label matcher, and what a line
 *  scan searches before it runs RE2 at all. The idea is the prefilter of RE2 and of Google Code
 *  Search. Invariant (soundness): whatever the regex matches contains, for every clause, at least
 *  one of its needles; "contains" and `exactStrings` are exact both ways. */
import { parseRegex, type RegexNode } from "./regexSyntax.ts";

/** A text to search; with `fold` the text is in lower case and letters match as in RE2's (?i):
 *  ASCII in either case, and U+017F for s and U+212A for k. */
export interface Needle {
  readonly text: string;
  readonly fold: boolean;
}

export type LiteralPlan =
  /** Every line matches. */
  | { readonly kind: "everything" }
  /** A line matches exactly if it contains a needle. */
  | { readonly kind: "contains"; readonly needles: ReadonlyArray<Needle> }
  /** A line that matches contains at least one needle of each clause; no clause means that nothing
   *  is known. */
  | { readonly kind: "required"; readonly clauses: ReadonlyArray<ReadonlyArray<Needle>> };

/** What an unanchored search for the (valid) pattern needs. */
export function literalPlan(pattern: string): LiteralPlan {
  const tree = parseRegex(pattern);
  if (tree === null) return { kind: "required", clauses: [] };
  const found = analyze(core(tree), lineLimits);
  if (found.exact === null) return { kind: "required", clauses: chooseClauses(found.clauses) };
  if (found.exact.some((item) => item.text === "")) {
    return found.precise ? { kind: "everything" } : { kind: "required", clauses: [] };
  }
  const needles = withoutSupersets(found.exact);
  if (!found.precise) return { kind: "required", clauses: chooseClauses([needles]) };
  return { kind: "contains", needles };
}

/** The strings that a fully anchored pattern matches, sorted, if it is nothing but alternatives of
 *  literal text; else null. */
export function exactStrings(pattern: string): ReadonlyArray<string> | null {
  const tree = parseRegex(pattern);
  if (tree === null) return null;
  const found = analyze(tree, setLimits);
  if (found.exact === null || !found.precise || found.exact.some((item) => item.fold)) return null;
  return [...new Set(found.exact.map((item) => item.text))].sort();
}

interface Limits {
  /** How many strings a set may have by alternation, and how many it may come to have by combining
   *  sets one after another. Each string of a line filter is one more search of the block. */
  readonly unionMax: number;
  readonly productMax: number;
}

const lineLimits: Limits = { unionMax: 64, productMax: 4 };
const setLimits: Limits = { unionMax: 65_536, productMax: 1024 };
const textLengthMax = 256;
const clausesMax = 3;

interface Found {
  /** The texts one of which every match contains in this place (with nothing between neighbours),
   *  null if unknown. */
  readonly exact: ReadonlyArray<Needle> | null;
  /** The node matches those texts wherever they stand, and nothing else. */
  readonly precise: boolean;
  readonly clauses: ReadonlyArray<ReadonlyArray<Needle>>;
}

const emptyText: Needle = { text: "", fold: false };
const unknown: Found = { exact: null, precise: false, clauses: [] };
const replacementCharacter = 0xfffd;

/** What is left when parts are dropped that may match nothing at either end: an unanchored search
 *  finds the rest as often. */
function core(node: RegexNode): RegexNode {
  if (node.op === "alternate") return { op: "alternate", subs: node.subs.map(core) };
  if (node.op === "repeat" && node.min === 0) return { op: "empty" };
  if (node.op === "repeat" && node.min === 1) return core(node.sub);
  if (node.op !== "concat") return node;
  const optional = (sub: RegexNode) => sub.op === "repeat" && sub.min === 0;
  let start = 0;
  let end = node.subs.length;
  while (start < end && optional(node.subs[start]!)) start++;
  while (end > start && optional(node.subs[end - 1]!)) end--;
  if (end - start === 1) return core(node.subs[start]!);
  return end === start ? { op: "empty" } : { op: "concat", subs: node.subs.slice(start, end) };
}

function analyze(node: RegexNode, limits: Limits): Found {
  switch (node.op) {
    case "empty":
      return { exact: [emptyText], precise: true, clauses: [] };
    case "assert":
      return { exact: [emptyText], precise: false, clauses: [] };
    case "literal": {
      const item = literalItem(node.codePoint, node.fold);
      return item === null ? unknown : { exact: [item], precise: true, clauses: [] };
    }
    case "class":
      return analyzeClass(node.ranges, limits);
    case "concat":
      return analyzeConcat(node.subs, limits);
    case "alternate":
      return analyzeAlternate(node.subs, limits);
    case "repeat":
      return analyzeRepeat(node.sub, node.min, node.max, limits);
  }
}

/** Null where bytes do not tell: invalid UTF-8 reads as U+FFFD, and case folding is known for ASCII
 *  only. */
function literalItem(codePoint: number, fold: boolean): Needle | null {
  if (codePoint === replacementCharacter || codePoint > 0x10ffff) return null;
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) return null;
  const text = String.fromCodePoint(codePoint);
  if (!fold) return { text, fold: false };
  if (codePoint >= 0x80) return null;
  return { text: text.toLowerCase(), fold: /[A-Za-z]/.test(text) };
}

function analyzeClass(ranges: ReadonlyArray<number> | null, limits: Limits): Found {
  if (ranges === null) return unknown;
  const items: Needle[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    for (let codePoint = ranges[i]!; codePoint <= ranges[i + 1]!; codePoint++) {
      const item = literalItem(codePoint, false);
      if (item === null || items.length === limits.productMax) return unknown;
      items.push(item);
    }
  }
  return { exact: items, precise: true, clauses: [] };
}

function analyzeConcat(subs: ReadonlyArray<RegexNode>, limits: Limits): Found {
  const clauses: ReadonlyArray<Needle>[] = [];
  let run: ReadonlyArray<Needle> = [emptyText];
  let precise = true;
  let broken = false;
  for (const sub of subs) {
    const found = analyze(sub, limits);
    const joined = found.exact === null ? null : join(run, found.exact, limits);
    precise &&= found.precise;
    if (joined !== null) {
      run = joined;
      continue;
    }
    broken = true;
    addClause(clauses, run);
    clauses.push(...found.clauses);
    run = found.exact ?? [emptyText];
  }
  if (!broken) return { exact: run, precise, clauses: [] };
  addClause(clauses, run);
  return { exact: null, precise: false, clauses };
}

function analyzeAlternate(subs: ReadonlyArray<RegexNode>, limits: Limits): Found {
  const branches = subs.map((sub) => analyze(sub, limits));
  const union: Needle[] = [];
  if (branches.every((branch) => branch.exact !== null)) {
    for (const branch of branches) union.push(...branch.exact!);
    if (union.length > limits.unionMax) return unknown;
    return { exact: union, precise: branches.every((branch) => branch.precise), clauses: [] };
  }
  for (const branch of branches) {
    const clauses = branch.exact === null ? [...branch.clauses] : [];
    if (branch.exact !== null) addClause(clauses, branch.exact);
    const best = chooseClauses(clauses)[0];
    if (best === undefined) return unknown;
    union.push(...best);
  }
  return union.length > limits.unionMax ? unknown : { ...unknown, clauses: [union] };
}

function analyzeRepeat(sub: RegexNode, min: number, max: number, limits: Limits): Found {
  if (max === 0) return { exact: [emptyText], precise: true, clauses: [] };
  const found = analyze(sub, limits);
  if (min === 0) {
    if (max !== 1 || found.exact === null) return unknown;
    return { exact: [emptyText, ...found.exact], precise: found.precise, clauses: [] };
  }
  if (found.exact === null) return { ...unknown, clauses: found.clauses };
  let power: ReadonlyArray<Needle> = found.exact;
  let count = 1;
  while (count < min) {
    const joined = join(power, found.exact, limits);
    if (joined === null) break;
    power = joined;
    count++;
  }
  if (count === min && max === min) return { exact: power, precise: found.precise, clauses: [] };
  const clauses: ReadonlyArray<Needle>[] = [];
  addClause(clauses, power);
  return { exact: null, precise: false, clauses };
}

/** Every text of the one followed by every text of the other; null if that is too much or mixes
 *  cases. */
function join(
  left: ReadonlyArray<Needle>,
  right: ReadonlyArray<Needle>,
  limits: Limits,
): ReadonlyArray<Needle> | null {
  if (left.length === 1 && left[0]!.text === "") return right;
  if (right.length === 1 && right[0]!.text === "") return left;
  const product = left.length * right.length;
  if (product > Math.max(limits.productMax, left.length, right.length)) return null;
  const joined: Needle[] = [];
  for (const head of left) {
    for (const tail of right) {
      const item = joinPair(head, tail);
      if (item === null || item.text.length > textLengthMax) return null;
      joined.push(item);
    }
  }
  return joined;
}

function joinPair(head: Needle, tail: Needle): Needle | null {
  if (head.text === "") return tail;
  if (tail.text === "") return head;
  if (head.fold !== tail.fold) {
    const exact = head.fold ? tail.text : head.text;
    // Folding is harmless only for text that has no case.
    if (/[A-Za-z\u017f\u212a]/.test(exact)) return null;
  }
  return { text: head.text + tail.text, fold: head.fold || tail.fold };
}

function addClause(clauses: ReadonlyArray<Needle>[], items: ReadonlyArray<Needle>): void {
  if (items.every((item) => item.text !== "")) clauses.push(items);
}

/** The clauses worth searching, the most telling first. */
function chooseClauses(
  clauses: ReadonlyArray<ReadonlyArray<Needle>>,
): ReadonlyArray<ReadonlyArray<Needle>> {
  const shortest = (clause: ReadonlyArray<Needle>) =>
    clause.reduce((length, item) => Math.min(length, item.text.length), Infinity);
  const reduced = clauses.map(withoutSupersets).sort((a, b) =>
    shortest(b) - shortest(a) || a.length - b.length
  );
  const telling = reduced.filter((clause) => shortest(clause) > 1);
  return (telling.length > 0 ? telling : reduced.slice(0, 1)).slice(0, clausesMax);
}

/** Whoever contains "foobar" contains "foo". */
function withoutSupersets(items: ReadonlyArray<Needle>): ReadonlyArray<Needle> {
  const kept: Needle[] = [];
  for (const item of [...items].sort((a, b) => a.text.length - b.text.length)) {
    const covered = kept.some((other) =>
      other.fold
        ? asciiLower(item.text).includes(other.text)
        : !item.fold && item.text.includes(other.text)
    );
    if (!covered) kept.push(item);
  }
  return kept;
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
