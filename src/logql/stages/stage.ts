/** What every stage of a pipeline is once it is compiled: something that changes the row in place
 *  and says whether it stays. One file here owns one stage; pipeline.ts puts them together.
 *  Invariant: a stage keeps nothing of a row between calls. */
import type { LineBlock } from "../../streams/lineBlock.ts";
import type { Row } from "../row.ts";

export interface RowStage {
  /** Called before the first row of a block whose lines are as they were stored, and with the byte
   *  of each row that may follow not 0. Of such a row, `Row.blockRow` is its number in the block.
   */
  begin?(block: LineBlock, mask: Uint8Array, row: Row): void;

  /** False drops the row. Must leave in the row only bytes that live as long as it does: those of
   *  the row's own buffers and of its scratch memory. */
  apply(row: Row): boolean;
}
