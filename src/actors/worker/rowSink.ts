/** Collects matching rows as columns. Owns growth and the byte limit; a timestamp is kept as two 32-bit halves, because sorting
 *  boxed bigints costs a hundred times what comparing two numbers does. */

/** Thrown when rows would exceed the job's byte limit. */
export class ResponseTooLarge extends Error {
  override readonly name = "ResponseTooLarge";
  constructor(bytesMax: number) {
    super(`the matching lines exceed ${bytesMax} bytes`);
  }
}

const rowsInitial = 256;
const bytesInitial = 64 * 1024;

export class RowSink {
  rowCount = 0;
  lineBytes = 0;
  metaBytes = 0;
  /** Two words a row: low, high (little-endian, so the same memory reads as i64). */
  times = new Int32Array(rowsInitial * 2);
  lineEnds = new Uint32Array(rowsInitial);
  metaEnds = new Uint32Array(rowsInitial);
  lines = new Uint8Array(bytesInitial);
  meta = new Uint8Array(1024);
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Appends one row; `times` is the source's timestamp column viewed as 32-bit words. */
  push(
    times: Int32Array,
    row: number,
    lines: Uint8Array,
    lineStart: number,
    lineEnd: number,
    meta: Uint8Array,
    metaStart: number,
    metaEnd: number,
  ): void {
    const at = this.rowCount;
    if (at === this.lineEnds.length) this.#growRows();
    const lineBytes = this.lineBytes + lineEnd - lineStart;
    const metaBytes = this.metaBytes + metaEnd - metaStart;
    if (lineBytes + metaBytes > this.#bytesMax) throw new ResponseTooLarge(this.#bytesMax);
    if (lineBytes > this.lines.length) this.lines = grown(this.lines, lineBytes);
    if (metaBytes > this.meta.length) this.meta = grown(this.meta, metaBytes);
    this.lines.set(lines.subarray(lineStart, lineEnd), this.lineBytes);
    if (metaEnd > metaStart) this.meta.set(meta.subarray(metaStart, metaEnd), this.metaBytes);
    this.times[at * 2] = times[row * 2]!;
    this.times[at * 2 + 1] = times[row * 2 + 1]!;
    this.lineEnds[at] = this.lineBytes = lineBytes;
    this.metaEnds[at] = this.metaBytes = metaBytes;
    this.rowCount = at + 1;
  }

  /** Whether row `row` of a source, whose timestamps `times` are, has the time of the row pushed last. */
  lastHasTime(times: Int32Array, row: number): boolean {
    const last = this.rowCount - 1;
    return this.times[last * 2] === times[row * 2] &&
      this.times[last * 2 + 1] === times[row * 2 + 1];
  }

  lineStart(row: number): number {
    return row === 0 ? 0 : this.lineEnds[row - 1]!;
  }

  lineEnd(row: number): number {
    return this.lineEnds[row]!;
  }

  metaStart(row: number): number {
    return row === 0 ? 0 : this.metaEnds[row - 1]!;
  }

  metaEnd(row: number): number {
    return this.metaEnds[row]!;
  }

  #growRows(): void {
    const count = this.lineEnds.length * 2;
    const times = new Int32Array(count * 2);
    times.set(this.times);
    this.times = times;
    const lineEnds = new Uint32Array(count);
    lineEnds.set(this.lineEnds);
    this.lineEnds = lineEnds;
    const metaEnds = new Uint32Array(count);
    metaEnds.set(this.metaEnds);
    this.metaEnds = metaEnds;
  }
}

function grown(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(bytes.length * 2, least));
  larger.set(bytes);
  return larger;
}
