/** The memory that files are read through: one for all files, since reading is synchronous. Owns the sizes. */
import { checkBytesMax } from "./fingerprint.ts";
import { LineColumns } from "./lineSink.ts";
import type { LineLimits } from "./lineLimits.ts";

/** What is read of one file before others have their turn. */
const chunkBytes = 128 * 1024;

export class ReadBuffer {
  readonly limits: LineLimits;
  readonly columns = new LineColumns();
  /** Room for a chunk, and the bytes before it that are looked at again. */
  readonly chunk = new Uint8Array(checkBytesMax + chunkBytes);
  #large: Uint8Array | undefined;

  constructor(limits: LineLimits) {
    this.limits = limits;
  }

  /** Room for the longest line with its end; only made when a line needs it. */
  get large(): Uint8Array {
    const bytes = checkBytesMax + Math.max(chunkBytes, this.limits.bytesMax + 2);
    return this.#large ??= new Uint8Array(bytes);
  }
}
