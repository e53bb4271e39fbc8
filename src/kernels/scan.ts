/** Finds the rows of a block of lines that contain a text: all rows at once, as bytes.
 *  assembly/scan.ts owns the search, this file the memory, the choice of the bytes to look for, and
 *  the two letters that fold beyond ASCII. Invariant: a text is found in a row only if it lies
 *  within that row's line. */
import { Kernels } from "./kernels.ts";

/** How to search. */
export interface ScanOptions {
  /** Let ASCII letters of the texts match in either case; k and s also match their other forms,
   *  U+212A and U+017F, as in RE2's (?i). Bytes that are not ASCII match themselves. Default:
   *  false. */
  readonly fold?: boolean;
  /** One byte for each row of the range: search rows with 1, write the result here. Default: the
   *  scanner's own mask. */
  readonly mask?: Uint8Array;
}

/** One block at a time. Keeps the block in a memory of its own: make one scanner per thread and use
 *  it for every block. */
export class BlockScanner {
  readonly #kernels: Kernels<ScanExports>;
  #block: LoadedBlock | undefined;

  constructor() {
    this.#kernels = new Kernels<ScanExports>();
    if (this.#kernels.exports.scanFrameBytes() !== frameFieldCount * 4) {
      throw new Error(
        "Compiled kernels do not fit src/kernels/scan.ts: run `node scripts/prepare.mjs`",
      );
    }
  }

  /** Takes the rows from rowStart to before rowEnd for the searches that follow, and marks all in
   *  `mask`. Row r's line is lines[lineEnds[r - 1]..lineEnds[r]), where row 0 starts at 0. */
  load(lines: Uint8Array, lineEnds: Uint32Array, rowStart: number, rowEnd: number): void {
    if (!(rowStart >= 0 && rowStart <= rowEnd && rowEnd <= lineEnds.length)) {
      throw new RangeError(`Rows ${rowStart} to ${rowEnd} of a block of ${lineEnds.length}`);
    }
    const start = rowStart === 0 ? 0 : lineEnds[rowStart - 1]!;
    const end = rowEnd === rowStart ? start : lineEnds[rowEnd - 1]!;
    if (!(start <= end && end <= lines.length)) {
      throw new RangeError(`Lines end at byte ${end} of ${lines.length}`);
    }
    const scan = this.#kernels;
    const rowCount = rowEnd - rowStart;
    scan.reset();
    const block = scan.reserve(end - start + readBeyondBytes);
    const ends = scan.reserve(rowCount * 4);
    const mask = scan.reserve(rowCount + 16);
    const given = scan.reserve(rowCount + 16);
    const pending = scan.reserve(rowCount + 16);
    const frame = scan.reserve(frameFieldCount * 4);
    scan.memory.set(lines.subarray(start, end), block);
    scan.u32(ends, rowCount).set(lineEnds.subarray(rowStart, rowEnd));
    scan.memory.fill(1, mask, mask + rowCount);
    scan.u32(frame, frameFieldCount).set([block, ends, start, rowCount, pending]);
    const mark = scan.mark;
    this.#block = {
      block,
      ends,
      start,
      rowCount,
      mask,
      given,
      pending,
      frame,
      mark,
      hasTwins: undefined,
    };
  }

  /** One byte for each row of the range: 1 if it is still in. Take it anew after each call: the
   *  view may be replaced. */
  get mask(): Uint8Array<ArrayBuffer> {
    const { mask, rowCount } = this.#loaded();
    return this.#kernels.bytes(mask, rowCount);
  }

  /** How many rows are still in. */
  count(): number {
    const { mask, rowCount } = this.#loaded();
    return this.#kernels.exports.countOnes(mask, rowCount);
  }

  /** Keeps the rows that contain any of the texts and returns how many are left. */
  keepContaining(texts: ReadonlyArray<Uint8Array>, options: ScanOptions = {}): number {
    const { exports } = this.#kernels;
    const { given, pending, rowCount } = this.#loaded();
    this.#search(texts, options, false);
    exports.removeRows(given, pending, rowCount);
    return this.#answer(given, options);
  }

  /** Keeps the rows that contain none of the texts and returns how many are left. */
  dropContaining(texts: ReadonlyArray<Uint8Array>, options: ScanOptions = {}): number {
    this.#search(texts, options, false);
    return this.#answer(this.#loaded().pending, options);
  }

  /** Whether any row that is still in contains any of the texts; stops at the first. */
  anyContains(texts: ReadonlyArray<Uint8Array>, options: ScanOptions = {}): boolean {
    return this.#search(texts, options, true);
  }

  #loaded(): LoadedBlock {
    if (this.#block === undefined) {
      throw new Error("A BlockScanner must load a block before a search");
    }
    return this.#block;
  }

  /** Writes the rows at `result` to the mask and returns how many there are. */
  #answer(result: number, options: ScanOptions): number {
    const { rowCount } = this.#loaded();
    const mask = options.mask ?? this.mask;
    mask.set(this.#kernels.bytes(result, rowCount));
    return this.#kernels.exports.countOnes(result, rowCount);
  }

  /** Leaves in `pending` the masked rows that contain none of the texts; returns whether others were
   *  found. */
  #search(texts: ReadonlyArray<Uint8Array>, options: ScanOptions, stopAtFirst: boolean): boolean {
    const loaded = this.#loaded();
    const { given, pending, rowCount } = loaded;
    const mask = options.mask ?? this.mask;
    if (mask.length !== rowCount) {
      throw new RangeError(`A mask of ${mask.length} bytes for a block of ${rowCount} rows`);
    }
    const fold = options.fold ?? false;
    this.#kernels.memory.set(mask, given);
    this.#kernels.memory.copyWithin(pending, given, given + rowCount);
    let found = 0;
    for (const text of texts) {
      if (text.byteLength === 0) found += this.#takeAll(loaded);
      else {
        const prepared = prepare(text, fold);
        found += this.#searchText(loaded, prepared, stopAtFirst);
        if (fold && hasTwin(prepared.bytes) && !(stopAtFirst && found > 0)) {
          found += this.#searchTwins(loaded, text);
        }
      }
      if (stopAtFirst && found > 0) return true;
    }
    return found > 0;
  }

  /** Every row contains the empty text. */
  #takeAll({ pending, rowCount }: LoadedBlock): number {
    const left = this.#kernels.exports.countOnes(pending, rowCount);
    this.#kernels.memory.fill(0, pending, pending + rowCount);
    return left;
  }

  #searchText(loaded: LoadedBlock, text: PreparedText, stopAtFirst: boolean): number {
    const scan = this.#kernels;
    scan.reset(loaded.mark);
    const bytes = scan.copyIn(text.bytes);
    const caseMasks = scan.copyIn(text.caseMasks);
    const { rareFirst, rareSecond } = text;
    scan.u32(loaded.frame, frameFieldCount).set(
      [bytes, caseMasks, text.bytes.byteLength, rareFirst, rareSecond, Number(stopAtFirst)],
      5,
    );
    return scan.exports.scanText(loaded.frame);
  }

  /** Searches the rows in `pending` for forms of the text with U+212A for k or U+017F for s. These
   *  letters are so rare in logs that one search a block nearly always tells that there is nothing
   *  to do. */
  #searchTwins(loaded: LoadedBlock, text: Uint8Array): number {
    const { pending, rowCount, block, start } = loaded;
    const scan = this.#kernels;
    if (loaded.hasTwins === undefined) {
      const saved = scan.bytes(pending, rowCount).slice();
      scan.memory.fill(1, pending, pending + rowCount);
      loaded.hasTwins = twins.some((twin) =>
        this.#searchText(loaded, prepare(twin, false), true) > 0
      );
      scan.memory.set(saved, pending);
    }
    if (!loaded.hasTwins) return 0;
    const ends = scan.u32(loaded.ends, rowCount);
    const wanted = asciiLower(text);
    let found = 0;
    for (let row = 0; row < rowCount; row++) {
      if (scan.memory[pending + row] === 0) continue;
      const lineStart = block + (row === 0 ? start : ends[row - 1]!) - start;
      const line = scan.memory.subarray(lineStart, block + ends[row]! - start);
      if (!asciiLower(line).includes(wanted)) continue;
      scan.memory[pending + row] = 0;
      found++;
    }
    return found;
  }
}

interface ScanExports {
  scanFrameBytes(): number;
  scanText(frame: number): number;
  countOnes(bytes: number, count: number): number;
  removeRows(mask: number, pending: number, count: number): void;
}

/** The fields of ScanFrame in assembly/scan.ts: block, ends, blockStart, rowCount, pending; text,
 *  caseMasks, textBytes, rareFirst, rareSecond, stopAtFirst. */
const frameFieldCount = 11;
/** The kernel loads up to so many bytes beyond the block. */
const readBeyondBytes = 96;

interface LoadedBlock {
  /** Addresses. */
  readonly block: number;
  readonly ends: number;
  readonly mask: number;
  /** Copy of the mask that a search was given, and the rows of it that remain to be found. */
  readonly given: number;
  readonly pending: number;
  readonly frame: number;
  /** Offset of the block in the lines it was taken from. */
  readonly start: number;
  readonly rowCount: number;
  /** Memory up to here belongs to the block. */
  readonly mark: number;
  /** Whether the block has U+212A or U+017F, once that is known. */
  hasTwins: boolean | undefined;
}

interface PreparedText {
  readonly bytes: Uint8Array;
  readonly caseMasks: Uint8Array;
  /** Places of the two rarest bytes. */
  readonly rareFirst: number;
  readonly rareSecond: number;
}

const preparedExact = new WeakMap<Uint8Array, PreparedText>();
const preparedFolded = new WeakMap<Uint8Array, PreparedText>();

/** ASCII from the most to the least frequent in logs of services, by and large. */
const commonFirst =
  " e0t1a2io3nrs5:4\"/.6-7,89dlcpmu=_hgf[]bvykTDIxw{}();jqzERSNAOCLMPGUFBHWVXKYQJZ@#%&*+'<>?\\!|`~$^";
const rarity = new Uint8Array(256).fill(255);
for (let rank = 0; rank < commonFirst.length; rank++) rarity[commonFirst.charCodeAt(rank)] = rank;

/** U+017F and U+212A in UTF-8. */
const twins = [Uint8Array.of(0xc5, 0xbf), Uint8Array.of(0xe2, 0x84, 0xaa)];

/** Texts are prepared once, in a table that does not keep them alive. They must not change
 *  afterwards. */
function prepare(text: Uint8Array, fold: boolean): PreparedText {
  const table = fold ? preparedFolded : preparedExact;
  const known = table.get(text);
  if (known !== undefined) return known;
  const bytes = fold ? withoutTwins(text) : text.slice();
  const caseMasks = new Uint8Array(bytes.length);
  if (fold) {
    for (let index = 0; index < bytes.length; index++) {
      const lower = bytes[index]! | 0x20;
      if (lower < 0x61 || lower > 0x7a) continue;
      bytes[index] = lower;
      caseMasks[index] = 0x20;
    }
  }
  let rareFirst = 0;
  for (let index = 1; index < bytes.length; index++) {
    if (rarity[bytes[index]!]! > rarity[bytes[rareFirst]!]!) rareFirst = index;
  }
  // The second should differ: the same byte twice says less.
  let rareSecond = rareFirst === 0 ? bytes.length - 1 : 0;
  const weight = (index: number) => bytes[index] === bytes[rareFirst] ? -1 : rarity[bytes[index]!]!;
  for (let index = 0; index < bytes.length; index++) {
    if (index !== rareFirst && weight(index) > weight(rareSecond)) rareSecond = index;
  }
  const prepared = { bytes, caseMasks, rareFirst, rareSecond };
  table.set(text, prepared);
  return prepared;
}

/** A copy with k and s in the place of their twins. */
function withoutTwins(text: Uint8Array): Uint8Array {
  if (!text.includes(0xbf) && !text.includes(0xaa)) return text.slice();
  let latin1 = "";
  for (const byte of text) latin1 += String.fromCharCode(byte);
  const plain = latin1.replaceAll("\xc5\xbf", "s").replaceAll("\xe2\x84\xaa", "k");
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
}

function hasTwin(text: Uint8Array): boolean {
  return text.some((byte) => (byte | 0x20) === 0x6b || (byte | 0x20) === 0x73);
}

/** One character a byte, ASCII in lower case, with the twins as k and s. */
function asciiLower(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!;
    text += String.fromCharCode(byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte);
  }
  return text.replaceAll("\xc5\xbf", "s").replaceAll("\xe2\x84\xaa", "k");
}
