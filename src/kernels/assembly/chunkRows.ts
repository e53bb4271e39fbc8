/** Prepares rows for a chunk: order by time, equal metadata sets, duplicates, where to cut.
 *  ../chunkRows.ts lays out the memory; chunkColumns.ts packs what comes out. Row numbers and set
 *  ids are 32-bit; set id 0 means no metadata. */
import { xxh64 } from "./hash";

// ---- Order: a natural merge sort, since rows come as a few sorted runs. ----

/** Fills `order` with the row numbers sorted by time, rows of one time in their given order, and
 *  returns 1; returns 0 and fills nothing if the times ascend already. `scratch` and `runs` have
 *  room for `count` and count + 1 integers. */
export function sortRows(times: usize, count: i32, order: usize, scratch: usize, runs: usize): i32 {
  let runCount = 0;
  for (let row = 0; row < count; row++) {
    const at = times + (<usize> row << 3);
    if (row == 0 || load<i64>(at) < load<i64>(at - 8)) {
      store<u32>(runs + (<usize> runCount << 2), row);
      runCount++;
    }
  }
  if (runCount <= 1) return 0;
  store<u32>(runs + (<usize> runCount << 2), count);
  for (let row = 0; row < count; row++) store<u32>(order + (<usize> row << 2), row);
  let from = order;
  let to = scratch;
  while (runCount > 1) {
    let merged = 0;
    for (let run = 0; run < runCount; run += 2) {
      const start = load<u32>(runs + (<usize> run << 2));
      const middle = load<u32>(runs + (<usize> (run + 1) << 2));
      const end = run + 1 < runCount ? load<u32>(runs + (<usize> (run + 2) << 2)) : middle;
      mergeRuns(times, from, to, start, middle, end);
      store<u32>(runs + (<usize> merged << 2), start);
      merged++;
    }
    store<u32>(runs + (<usize> merged << 2), count);
    runCount = merged;
    const swapped = from;
    from = to;
    to = swapped;
  }
  if (from != order) memory.copy(order, from, <usize> count << 2);
  return 1;
}

function mergeRuns(times: usize, from: usize, to: usize, start: u32, middle: u32, end: u32): void {
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    let row: u32;
    if (right >= end) row = load<u32>(from + (<usize> (left++) << 2));
    else if (left >= middle) row = load<u32>(from + (<usize> (right++) << 2));
    else {
      const leftRow = load<u32>(from + (<usize> left << 2));
      const rightRow = load<u32>(from + (<usize> right << 2));
      const takeLeft =
        load<i64>(times + (<usize> leftRow << 3)) <= load<i64>(times + (<usize> rightRow << 3));
      row = takeLeft ? leftRow : rightRow;
      if (takeLeft) left++;
      else right++;
    }
    store<u32>(to + (<usize> at << 2), row);
  }
}

/** target[i] = source[order[i]], 64 bits each. */
export function permute64(source: usize, order: usize, count: i32, target: usize): void {
  for (let row = 0; row < count; row++) {
    const from = <usize> load<u32>(order + (<usize> row << 2));
    store<u64>(target + (<usize> row << 3), load<u64>(source + (from << 3)));
  }
}

/** target[i] = source[order[i]], 32 bits each. */
export function permute32(source: usize, order: usize, count: i32, target: usize): void {
  for (let row = 0; row < count; row++) {
    const from = <usize> load<u32>(order + (<usize> row << 2));
    store<u32>(target + (<usize> row << 2), load<u32>(source + (from << 2)));
  }
}

// ---- Metadata sets. ----

function sameBytes(a: usize, b: usize, length: i32): bool {
  const end = a + <usize> length;
  while (end - a >= 8) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
  }
  while (a < end) {
    if (load<u8>(a++) != load<u8>(b++)) return false;
  }
  return true;
}

/** canonical[id] for every set id 1..count: the least id of an equal set, 0 for an empty set;
 *  canonical[0] = 0. `table` has `slots` 32-bit slots, a power of two above `count`. */
export function internSets(
  ends: usize,
  meta: usize,
  count: i32,
  canonical: usize,
  table: usize,
  slots: i32,
): void {
  memory.fill(table, 0, <usize> slots << 2);
  store<u32>(canonical, 0);
  let start: u32 = 0;
  for (let set = 0; set < count; set++) {
    const end = load<u32>(ends + (<usize> set << 2));
    const length = end - start;
    let id: u32 = 0;
    if (length > 0) {
      const bytes = meta + <usize> start;
      let slot = <u32> xxh64(bytes, length) & <u32> (slots - 1);
      for (;;) {
        id = load<u32>(table + (<usize> slot << 2));
        if (id == 0) {
          id = set + 1;
          store<u32>(table + (<usize> slot << 2), id);
          break;
        }
        const other = id == 1 ? 0 : load<u32>(ends + (<usize> (id - 2) << 2));
        const otherLength = load<u32>(ends + (<usize> (id - 1) << 2)) - other;
        if (otherLength == length && sameBytes(bytes, meta + <usize> other, length)) break;
        slot = (slot + 1) & <u32> (slots - 1);
      }
    }
    store<u32>(canonical + (<usize> (set + 1) << 2), id);
    start = end;
  }
}

/** ids[i] = map[ids[i]]. */
export function mapIds(ids: usize, count: i32, map: usize): void {
  for (let row = 0; row < count; row++) {
    const at = ids + (<usize> row << 2);
    store<u32>(at, load<u32>(map + (<usize> load<u32>(at) << 2)));
  }
}

let selectedBytes: i32 = 0;

/** Bytes that the last selectSets or dropDuplicates kept. */
export function keptBytes(): i32 {
  return selectedBytes;
}

/** Renumbers the ids of `count` rows from 1 in order of first use, and writes the lengths and bytes
 *  of the sets they use. `map` has setCount + 1 slots. Returns the number of sets; keptBytes() is
 *  their size. */
export function selectSets(
  ids: usize,
  count: i32,
  ends: usize,
  meta: usize,
  setCount: i32,
  map: usize,
  outLengths: usize,
  outMeta: usize,
): i32 {
  memory.fill(map, 0, <usize> (setCount + 1) << 2);
  let used: u32 = 0;
  let bytes: u32 = 0;
  for (let row = 0; row < count; row++) {
    const id = load<u32>(ids + (<usize> row << 2));
    if (id == 0) continue;
    const slot = map + (<usize> id << 2);
    if (load<u32>(slot) == 0) {
      const start = id == 1 ? 0 : load<u32>(ends + (<usize> (id - 2) << 2));
      const length = load<u32>(ends + (<usize> (id - 1) << 2)) - start;
      memory.copy(outMeta + <usize> bytes, meta + <usize> start, length);
      store<u32>(outLengths + (<usize> used << 2), length);
      bytes += length;
      store<u32>(slot, ++used);
    }
    store<u32>(ids + (<usize> row << 2), load<u32>(slot));
  }
  selectedBytes = bytes;
  return used;
}

// ---- Chunks. ----

/** The end of the chunk that starts at row `start`: the first row at which lines, first uses of
 *  metadata sets and 8 bytes a row come to `bytesMax`, moved on to the next change of time unless
 *  twice as much comes before it. `marks` has a slot for every set id, none of which holds `stamp`
 *  yet. */
export function chunkEnd(
  times: usize,
  lengths: usize,
  ids: usize,
  ends: usize,
  marks: usize,
  stamp: u32,
  start: i32,
  count: i32,
  bytesMax: u32,
): i32 {
  let bytes: u64 = 0;
  for (let row = start; row < count; row++) {
    if (bytes >= bytesMax) {
      const at = times + (<usize> row << 3);
      if (bytes >= 2 * <u64> bytesMax || load<u64>(at) != load<u64>(at - 8)) return row;
    }
    bytes += 8 + load<u32>(lengths + (<usize> row << 2));
    const id = load<u32>(ids + (<usize> row << 2));
    if (id == 0 || load<u32>(marks + (<usize> id << 2)) == stamp) continue;
    store<u32>(marks + (<usize> id << 2), stamp);
    bytes += load<u32>(ends + (<usize> (id - 1) << 2));
    if (id > 1) bytes -= load<u32>(ends + (<usize> (id - 2) << 2));
  }
  return count;
}

/** Equal times up to this many rows are compared each with each; more go through a hash table. */
const PAIRWISE_ROWS_MAX: i32 = 8;

/** Removes rows that equal an earlier one in time, metadata and line, in place. Rows are sorted by
 *  time and `lines` holds their lines without gaps. `starts` has `count` slots, `table` has
 *  `slots`, a power of two of at least twice `count`. Returns the number of rows kept; keptBytes()
 *  is the size of their lines. */
export function dropDuplicates(
  times: usize,
  lengths: usize,
  ids: usize,
  lines: usize,
  count: i32,
  starts: usize,
  table: usize,
  slots: i32,
): i32 {
  let kept = 0;
  let keptEnd: u32 = 0;
  let lineStart: u32 = 0;
  for (let runStart = 0; runStart < count;) {
    const time = load<u64>(times + (<usize> runStart << 3));
    let runEnd = runStart + 1;
    while (runEnd < count && load<u64>(times + (<usize> runEnd << 3)) == time) runEnd++;
    const keptBefore = kept;
    const hashed = runEnd - runStart > PAIRWISE_ROWS_MAX;
    let tableMask: u32 = 0;
    if (hashed) {
      // The least power of two of at least twice the run.
      tableMask = ((<u32> -1) >>> clz<u32>(2 * (runEnd - runStart) - 1)) & <u32> (slots - 1);
      memory.fill(table, 0, <usize> (tableMask + 1) << 2);
    }
    for (let row = runStart; row < runEnd; row++) {
      const length = load<u32>(lengths + (<usize> row << 2));
      const id = load<u32>(ids + (<usize> row << 2));
      const line = lines + <usize> lineStart;
      lineStart += length;
      if (
        hashed
          ? seenHashed(lines, line, length, id, lengths, ids, starts, table, tableMask, kept)
          : seenPairwise(lines, line, length, id, lengths, ids, starts, keptBefore, kept)
      ) continue;
      if (kept != row) {
        memory.copy(lines + <usize> keptEnd, line, length);
        store<u64>(times + (<usize> kept << 3), time);
        store<u32>(lengths + (<usize> kept << 2), length);
        store<u32>(ids + (<usize> kept << 2), id);
      }
      store<u32>(starts + (<usize> kept << 2), keptEnd);
      keptEnd += length;
      kept++;
    }
    runStart = runEnd;
  }
  selectedBytes = keptEnd;
  return kept;
}

function sameRow(
  lines: usize,
  line: usize,
  length: u32,
  id: u32,
  lengths: usize,
  ids: usize,
  starts: usize,
  other: i32,
): bool {
  const slot = <usize> other << 2;
  return load<u32>(lengths + slot) == length && load<u32>(ids + slot) == id &&
    sameBytes(line, lines + <usize> load<u32>(starts + slot), length);
}

function seenPairwise(
  lines: usize,
  line: usize,
  length: u32,
  id: u32,
  lengths: usize,
  ids: usize,
  starts: usize,
  from: i32,
  to: i32,
): bool {
  for (let other = from; other < to; other++) {
    if (sameRow(lines, line, length, id, lengths, ids, starts, other)) return true;
  }
  return false;
}

/** As seenPairwise, and enters a row that was not seen as row `row`. */
function seenHashed(
  lines: usize,
  line: usize,
  length: u32,
  id: u32,
  lengths: usize,
  ids: usize,
  starts: usize,
  table: usize,
  tableMask: u32,
  row: i32,
): bool {
  let slot = (<u32> xxh64(line, length) ^ (id * 0x9e3779b1)) & tableMask;
  while (true) {
    const at = table + (<usize> slot << 2);
    const other = load<u32>(at);
    if (other == 0) {
      store<u32>(at, row + 1);
      return false;
    }
    if (sameRow(lines, line, length, id, lengths, ids, starts, other - 1)) return true;
    slot = (slot + 1) & tableMask;
  }
}
