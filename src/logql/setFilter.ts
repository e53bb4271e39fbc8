/** Label filters over blocks of rows that no stage has changed yet: decides once for each metadata
 *  set of a block and then keeps the rows of the sets that pass. labelFilter.ts owns the tests.
 *  Invariant: a row survives exactly if the tests, one after another, keep a row of its stream with
 *  its metadata. */
import type { BlockFilter, LineBlock } from "../streams/lineBlock.ts";
import type { LabelTest } from "./labelFilter.ts";
import type { Row, StreamBase } from "./row.ts";

const checkpointBytes = 32 * 1024;
const roundMax = 2 ** 31 - 1;

export class SetFilter implements BlockFilter {
  readonly #tests: ReadonlyArray<LabelTest>;
  readonly #row: Row;
  readonly #stream: StreamBase;
  readonly #checkpoint: () => void;
  #unchecked = 0;
  /** By set, `2 * round + passes`. Clearing a byte for each set of a batch for each of its streams
   *  would cost more than the filter; instead an entry counts only in the round it was written. */
  #verdicts = new Uint32Array(0);
  #round = 0;

  constructor(
    tests: ReadonlyArray<LabelTest>,
    row: Row,
    stream: StreamBase,
    checkpoint: () => void,
  ) {
    this.#tests = tests;
    this.#row = row;
    this.#stream = stream;
    this.#checkpoint = checkpoint;
  }

  apply(block: LineBlock, mask: Uint8Array): number {
    const { metaIds, sets, rowStart } = block;
    this.#beginRound(sets.setEnds.length);
    this.#row.useStream(this.#stream);
    this.#row.forgetMetadata();
    let left = 0;
    for (let index = 0; index < mask.length; index++) {
      if (mask[index] === 0) continue;
      const set = metaIds[rowStart + index]!;
      const entry = this.#verdicts[set]!;
      const passes = entry >>> 1 === this.#round ? (entry & 1) === 1 : this.#decide(sets, set);
      if (passes) left++;
      else mask[index] = 0;
    }
    return left;
  }

  #beginRound(setCount: number): void {
    if (this.#verdicts.length <= setCount || this.#round === roundMax) {
      this.#verdicts = new Uint32Array(Math.max(setCount + 1, this.#verdicts.length));
      this.#round = 0;
    }
    this.#round++;
  }

  #decide({ meta, setEnds }: LineBlock["sets"], set: number): boolean {
    const start = set <= 1 ? 0 : setEnds[set - 2]!;
    const end = set === 0 ? 0 : setEnds[set - 1]!;
    this.#unchecked += end - start;
    if (this.#unchecked > checkpointBytes) {
      this.#checkpoint();
      this.#unchecked = 0;
    }
    this.#row.load(noLine, 0, 0, meta, start, end, noTime, 0);
    let passes = true;
    for (const test of this.#tests) passes &&= test.apply(this.#row);
    this.#verdicts[set] = this.#round * 2 + Number(passes);
    return passes;
  }
}

const noLine = new Uint8Array(0);
const noTime = { timestamps: new BigInt64Array(1) };
