/** The labels of an entry on its way through the collector. Sets are immutable and lead to one
 *  another: what a stage does to a set it has seen before is a look-up, so that lines of one stream
 *  share one set and nothing is built for each of them. Canonical text is src/streams/labels.ts'.
 *  Invariant: the way to a set is remembered for a bounded number of sets; forgetting costs time
 *  only, since sets are told apart by their text, never by identity. */
import { formatLabels, type Labels } from "../../streams/labels.ts";

/** The label that names an entry's tenant; it is not sent as a label. */
export const tenantLabel = "__tenant_id__";

/** How many neighbours a set remembers before it forgets them all. */
const neighboursMax = 1024;
/** How many all sets together remember: with several labels of very many values each set leads to as many others. */
const rememberedMax = 100_000;

export class LabelSet {
  /** Sorted by name, without empty values. */
  readonly pairs: Labels;
  #neighbours: Map<string, Map<string, LabelSet>> = new Map();
  #neighbourCount = 0;
  /** What it remembers counts in this generation only. */
  #generation = 0;
  static #currentGeneration = 0;
  static #remembered = 0;
  #text: string | null = null;

  private constructor(pairs: Labels) {
    this.pairs = pairs;
  }

  static readonly empty = new LabelSet([]);

  /** From names and values in any order; the last of two equal names counts, empty values are no
   *  labels. Names are not checked. */
  static of(labels: Readonly<Record<string, string>> | Iterable<readonly [string, string]>) {
    const entries = Symbol.iterator in labels ? labels : Object.entries(labels);
    const pairs = [...new Map(entries)].filter(([, value]) => value !== "")
      .sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
    return new LabelSet(pairs);
  }

  /** The stream's identity, `{a="b", c="d"}`, without the tenant. */
  get text(): string {
    return this.#text ??= formatLabels(this.pairs.filter(([name]) => name !== tenantLabel));
  }

  /** The tenant that a rule or a stage chose; null for the client's own. */
  get tenant(): string | null {
    return this.get(tenantLabel) ?? null;
  }

  get(name: string): string | undefined {
    const { pairs } = this;
    for (let index = 0; index < pairs.length; index++) {
      const pair = pairs[index]!;
      if (pair[0] === name) return pair[1];
    }
    return undefined;
  }

  /** With `name` set to `value`; an empty value removes it. */
  with(name: string, value: string): LabelSet {
    if (this.#generation !== LabelSet.#currentGeneration) this.#forget();
    const byValue = this.#neighbours.get(name);
    const known = byValue?.get(value);
    if (known !== undefined) return known;
    const next = (this.get(name) ?? "") === value
      ? this
      : LabelSet.of([...this.pairs, [name, value]]);
    if (LabelSet.#remembered >= rememberedMax) {
      LabelSet.#currentGeneration++;
      LabelSet.#remembered = 0;
      this.#forget();
    } else if (this.#neighbourCount >= neighboursMax) this.#forget();
    this.#neighbourCount++;
    LabelSet.#remembered++;
    const remembered = this.#neighbours.get(name);
    if (remembered === undefined) this.#neighbours.set(name, new Map([[value, next]]));
    else remembered.set(value, next);
    return next;
  }

  #forget(): void {
    this.#neighbours = new Map();
    this.#neighbourCount = 0;
    this.#generation = LabelSet.#currentGeneration;
  }

  without(name: string): LabelSet {
    return this.with(name, "");
  }
}
