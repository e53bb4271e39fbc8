/** Label filters over blocks of rows: `| level="error" and trace_id=~"ab.*"` on stream labels and
 *  structured metadata. A filter looks at metadata sets, never at rows: it decides once for each
 *  set of a block and then keeps the rows of the sets that pass. labelFilterParser.ts owns the
 *  syntax, foldMetadata what a row's labels are called. Invariant: a row survives exactly if the
 *  predicates hold for its folded labels, where a missing label reads as "". */
import type { Labels } from "../streams/labels.ts";
import type { BlockFilter, LineBlock } from "../streams/lineBlock.ts";
import { makeMatcher, type Matcher, type MatcherDescription } from "../streams/matcher.ts";
import type { Metadata } from "../streams/metadata.ts";
import type { LabelFilter, Predicate } from "./ast.ts";

/** A predicate as plain data, for crossing into worker threads. */
export type LabelFilterDescription =
  | MatcherDescription
  | {
    readonly op: "and" | "or";
    readonly left: LabelFilterDescription;
    readonly right: LabelFilterDescription;
  };

/** The filter without its place in the query; undefined if it compares with anything but strings.
 */
export function describeLabelFilter(filter: LabelFilter): LabelFilterDescription | undefined {
  return describe(filter.predicate);
}

/** The labels of a row as queries see them: its stream's, and its metadata. Metadata whose name the
 *  stream has becomes name_extracted, and is left out if that name is taken too. Sorted by name. */
export function foldMetadata(labels: Labels, metadata: Metadata): Labels {
  const folded = new Map(labels);
  const hidden: Array<readonly [string, string]> = [];
  for (const [name, value] of metadata) {
    if (folded.has(name)) hidden.push([`${name}${extractedSuffix}`, value]);
    else folded.set(name, value);
  }
  for (const [name, value] of hidden) if (!folded.has(name)) folded.set(name, value);
  return [...folded].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

/** What is left of the filters once a stream's labels are known: every row passes, none does, or
 *  the metadata decides. */
export type StreamVerdict = "all" | "none" | BlockFilter;

export interface LabelFilters {
  /** Must be used in one thread, and not one filter within another: they share memory. */
  readonly forStream: (labels: Labels) => StreamVerdict;
}

/** Compiles filters that must all pass. `checkpoint` is called after every 32 KiB of values, and
 *  may throw to end the work. Throws RegexInvalid for what the parser would have refused. */
export function compileLabelFilters(
  descriptions: ReadonlyArray<LabelFilterDescription>,
  checkpoint: () => void = () => {},
): LabelFilters {
  const tests = descriptions.map(compile);
  const verdicts = new SetVerdicts();
  return {
    forStream: (labels) => {
      const known = new Map(labels);
      const test = allOf(tests.map((test) => reduce(test, known)));
      if (typeof test === "boolean") return test ? "all" : "none";
      return new MetadataFilter(test, verdicts, checkpoint);
    },
  };
}

const extractedSuffix = "_extracted";
const checkpointBytes = 32 * 1024;

function describe(predicate: Predicate): LabelFilterDescription | undefined {
  if (predicate.kind === "LabelMatcher") {
    const { name, op, value } = predicate;
    return { name, op, value };
  }
  if (predicate.kind !== "LogicalPredicate") return undefined;
  const left = describe(predicate.left);
  const right = describe(predicate.right);
  if (left === undefined || right === undefined) return undefined;
  return { op: predicate.op, left, right };
}

type Compiled = Matcher | Branch<Compiled>;

interface Branch<Child> {
  readonly op: "and" | "or";
  readonly left: Child;
  readonly right: Child;
}

function compile(description: LabelFilterDescription): Compiled {
  if (!("left" in description)) {
    return makeMatcher(description.name, description.op, description.value);
  }
  const { op, left, right } = description;
  return { op, left: compile(left), right: compile(right) };
}

/** A test of metadata. `names` are looked up in this order; the first that is there is the value.
 */
type MetadataTest = MetadataMatch | Branch<MetadataTest>;

interface MetadataMatch {
  readonly names: ReadonlyArray<Uint8Array>;
  readonly matcher: Matcher;
}

/** What is left to test when the stream's labels are known. */
function reduce(test: Compiled, labels: ReadonlyMap<string, string>): MetadataTest | boolean {
  if ("left" in test) {
    return combine(test.op, reduce(test.left, labels), reduce(test.right, labels));
  }
  const value = labels.get(test.name);
  if (value !== undefined) return test.matches(value);
  const names = [test.name];
  const base = test.name.slice(0, -extractedSuffix.length);
  if (test.name.endsWith(extractedSuffix) && labels.has(base)) names.push(base);
  return { names: names.map((name) => encoder.encode(name)), matcher: test };
}

function combine(
  op: "and" | "or",
  left: MetadataTest | boolean,
  right: MetadataTest | boolean,
): MetadataTest | boolean {
  const decisive = op === "or";
  if (left === decisive || right === decisive) return decisive;
  if (typeof left === "boolean") return right;
  if (typeof right === "boolean") return left;
  return { op, left, right };
}

function allOf(tests: ReadonlyArray<MetadataTest | boolean>): MetadataTest | boolean {
  return tests.reduce((all, test) => combine("and", all, test), true);
}

/** One byte of memory for each set would have to be cleared for each stream of a batch; instead an
 *  entry counts only if it was written in the present round. */
class SetVerdicts {
  #round = 0;
  #entries = new Uint32Array(0);

  /** Forgets all verdicts and makes room for sets 0..setCount. */
  begin(setCount: number): void {
    if (this.#entries.length <= setCount || this.#round === roundMax) {
      this.#entries = new Uint32Array(Math.max(setCount + 1, this.#entries.length));
      this.#round = 0;
    }
    this.#round++;
  }

  get(set: number): boolean | undefined {
    const entry = this.#entries[set]!;
    return entry >>> 1 === this.#round ? (entry & 1) === 1 : undefined;
  }

  put(set: number, passes: boolean): void {
    this.#entries[set] = this.#round * 2 + Number(passes);
  }
}

const roundMax = 2 ** 31 - 1;

class MetadataFilter implements BlockFilter {
  readonly #test: MetadataTest;
  readonly #verdicts: SetVerdicts;
  readonly #checkpoint: () => void;
  #unchecked = 0;

  constructor(test: MetadataTest, verdicts: SetVerdicts, checkpoint: () => void) {
    this.#test = test;
    this.#verdicts = verdicts;
    this.#checkpoint = checkpoint;
  }

  apply(block: LineBlock, mask: Uint8Array): number {
    const { metaIds, sets, rowStart } = block;
    this.#verdicts.begin(sets.setEnds.length);
    let left = 0;
    for (let index = 0; index < mask.length; index++) {
      if (mask[index] === 0) continue;
      const set = metaIds[rowStart + index]!;
      const passes = this.#verdicts.get(set) ?? this.#decide(sets, set);
      if (passes) left++;
      else mask[index] = 0;
    }
    return left;
  }

  #decide({ meta, setEnds }: LineBlock["sets"], set: number): boolean {
    const start = set <= 1 ? 0 : setEnds[set - 2]!;
    const end = set === 0 ? 0 : setEnds[set - 1]!;
    this.#unchecked += end - start;
    if (this.#unchecked > checkpointBytes) {
      this.#checkpoint();
      this.#unchecked = 0;
    }
    const passes = holds(this.#test, meta, start, end);
    this.#verdicts.put(set, passes);
    return passes;
  }
}

function holds(test: MetadataTest, meta: Uint8Array, start: number, end: number): boolean {
  if ("matcher" in test) return test.matcher.matches(firstValue(test.names, meta, start, end));
  const left = holds(test.left, meta, start, end);
  return left === (test.op === "or") ? left : holds(test.right, meta, start, end);
}

/** The value of the first name that the set has, or "". metadata.ts has the bytes of a set. */
function firstValue(
  names: ReadonlyArray<Uint8Array>,
  meta: Uint8Array,
  start: number,
  end: number,
): string {
  for (const name of names) {
    for (let at = start; at < end;) {
      const nameBytes = meta[at]! | (meta[at + 1]! << 8);
      const nameEnd = at + 6 + nameBytes;
      const valueEnd = nameEnd +
        ((meta[at + 2]! | (meta[at + 3]! << 8) | (meta[at + 4]! << 16) | (meta[at + 5]! << 24)) >>>
          0);
      if (nameBytes === name.length && startsWith(meta, at + 6, name)) {
        return decoder.decode(meta.subarray(nameEnd, valueEnd));
      }
      at = valueEnd;
    }
  }
  return "";
}

function startsWith(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text[index]) return false;
  }
  return true;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
