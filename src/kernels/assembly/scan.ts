/** Searches a text in all lines of a block at once and marks the rows that hold it. scan.ts outside
 *  owns the block's memory and prepares the text; a match counts only if it lies within one row.
 *
 *  The search compares two bytes of the text, the two that are rarest in logs, at 64 places at a
 *  time, and the whole text where both fit. A byte compares equal if it is that of the text once
 *  the bits in its case mask are set: 0x20 for a letter to match in either case, else 0. Loads
 *  reach up to 80 bytes beyond the block. */

/** Runs of rows to search are joined across up to so many bytes of rows that are not. */
const GAP_BYTES_MAX: u32 = 256;

/** All of them addresses or counts of bytes and rows; JavaScript knows the order of the fields. */
@unmanaged
class ScanFrame {
  block: usize;
  /** Ends of the rows' lines, counted from `blockStart` bytes before the block. */
  ends: usize;
  blockStart: u32;
  rowCount: u32;
  /** One byte for each row: 1 to search it. Rows that hold the text become 0. */
  pending: usize;
  /** The text in lower case, if case is to be ignored, and its case masks; 16 bytes beyond both are
   *  readable. */
  text: usize;
  caseMasks: usize;
  textBytes: u32;
  rareFirst: u32;
  rareSecond: u32;
  /** 1 to stop at the first row. */
  stopAtFirst: u32;
}

/** The row that the search has reached. */
let row: u32 = 0;

export function scanFrameBytes(): usize {
  return offsetof<ScanFrame>();
}

/** Searches the rows whose `pending` is 1 and returns how many hold the text. */
export function scanText(pointer: usize): u32 {
  const frame = changetype<ScanFrame>(pointer);
  const rowCount = frame.rowCount;
  let found: u32 = 0;
  let runStart = nextRow(frame, 0, true);
  while (runStart < rowCount) {
    let runEnd = nextRow(frame, runStart, false);
    let following = nextRow(frame, runEnd, true);
    while (
      following < rowCount &&
      rowStart(frame, following) - rowEnd(frame, runEnd - 1) <= GAP_BYTES_MAX
    ) {
      runEnd = nextRow(frame, following, false);
      following = nextRow(frame, runEnd, true);
    }
    row = runStart;
    found += searchRun(frame, rowStart(frame, runStart), rowEnd(frame, runEnd - 1));
    if (found > 0 && frame.stopAtFirst != 0) return found;
    runStart = following;
  }
  return found;
}

/** How many of `count` bytes, each 0 or 1, are 1. */
export function countOnes(bytes: usize, count: u32): u32 {
  let ones: u32 = 0;
  const end = bytes + count;
  for (; end - bytes >= 8; bytes += 8) ones += <u32> popcnt(load<u64>(bytes));
  for (; bytes < end; bytes++) ones += load<u8>(bytes);
  return ones;
}

/** Clears in `mask` the rows that are still 1 in `pending`, which holds no others than `mask` does. */
export function removeRows(mask: usize, pending: usize, count: u32): void {
  let at: u32 = 0;
  for (; at + 16 <= count; at += 16) {
    v128.store(mask + at, v128.xor(v128.load(mask + at), v128.load(pending + at)));
  }
  for (; at < count; at++) store<u8>(mask + at, load<u8>(mask + at) ^ load<u8>(pending + at));
}

function rowEnd(frame: ScanFrame, index: u32): u32 {
  return load<u32>(frame.ends + (index << 2)) - frame.blockStart;
}

function rowStart(frame: ScanFrame, index: u32): u32 {
  return index == 0 ? 0 : rowEnd(frame, index - 1);
}

/** The first row from `from` on that is to be searched, or that is not; rowCount if there is none.
 */
function nextRow(frame: ScanFrame, from: u32, wanted: bool): u32 {
  const count = frame.rowCount;
  for (let at = from; at < count; at += 16) {
    const clear = i8x16.bitmask(i8x16.eq(v128.load(frame.pending + at), i64x2.splat(0)));
    const hits = (wanted ? ~clear : clear) & 0xffff;
    if (hits != 0) return min(count, at + <u32> ctz(hits));
  }
  return count;
}

/** Searches bytes `from` to `to` of the block, which begin with row `row`, and returns how many
 *  rows hold the text. */
function searchRun(frame: ScanFrame, from: u32, to: u32): u32 {
  const length = frame.textBytes;
  if (to - from < length) return 0;
  const block = frame.block;
  const last = block + to - length;
  const first = frame.rareFirst, second = frame.rareSecond;
  const firstText = i8x16.splat(load<u8>(frame.text + first));
  const secondText = i8x16.splat(load<u8>(frame.text + second));
  const firstCase = i8x16.splat(load<u8>(frame.caseMasks + first));
  const secondCase = i8x16.splat(load<u8>(frame.caseMasks + second));
  let found: u32 = 0;
  let at = block + from;
  while (at <= last) {
    const a = at + first, b = at + second;
    const hits0 = candidates(
      v128.load(a),
      v128.load(b),
      firstCase,
      secondCase,
      firstText,
      secondText,
    );
    const hits1 = candidates(
      v128.load(a, 16),
      v128.load(b, 16),
      firstCase,
      secondCase,
      firstText,
      secondText,
    );
    const hits2 = candidates(
      v128.load(a, 32),
      v128.load(b, 32),
      firstCase,
      secondCase,
      firstText,
      secondText,
    );
    const hits3 = candidates(
      v128.load(a, 48),
      v128.load(b, 48),
      firstCase,
      secondCase,
      firstText,
      secondText,
    );
    let next = at + 64;
    if (!v128.any_true(v128.or(v128.or(hits0, hits1), v128.or(hits2, hits3)))) {
      at = next;
      continue;
    }
    let hits = <u64> i8x16.bitmask(hits0) | (<u64> i8x16.bitmask(hits1) << 16) |
      (<u64> i8x16.bitmask(hits2) << 32) | (<u64> i8x16.bitmask(hits3) << 48);
    while (hits != 0) {
      const place = at + <usize> ctz(hits);
      hits &= hits - 1;
      if (place > last) break;
      if (!matches(frame, place)) continue;
      const offset = place - block;
      while (rowEnd(frame, row) <= offset) row++;
      const end = rowEnd(frame, row);
      if (offset + length > end) continue;
      if (load<u8>(frame.pending + row) != 0) {
        store<u8>(frame.pending + row, 0);
        found++;
        if (frame.stopAtFirst != 0) return found;
      }
      // The rest of the row does not matter.
      const following = block + end;
      if (following >= next) {
        next = following;
        break;
      }
      hits &= (~(<u64> 0)) << <u64> (following - at);
    }
    at = next;
  }
  return found;
}

function candidates(
  a: v128,
  b: v128,
  firstCase: v128,
  secondCase: v128,
  firstText: v128,
  secondText: v128,
): v128 {
  return v128.and(
    i8x16.eq(v128.or(a, firstCase), firstText),
    i8x16.eq(v128.or(b, secondCase), secondText),
  );
}

function matches(frame: ScanFrame, place: usize): bool {
  const length = frame.textBytes;
  const text = frame.text, caseMasks = frame.caseMasks;
  let at: usize = 0;
  while (true) {
    const folded = v128.or(v128.load(place + at), v128.load(caseMasks + at));
    const equal = i8x16.bitmask(i8x16.eq(folded, v128.load(text + at)));
    const left = length - at;
    if (left <= 16) {
      const wanted = (1 << left) - 1;
      return (equal & wanted) == wanted;
    }
    if (equal != 0xffff) return false;
    at += 16;
  }
}
