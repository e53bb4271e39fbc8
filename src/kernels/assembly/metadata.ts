/** Builds the structured metadata set of a row: sanitises names and values, adds `detected_level`,
 *  sorts, drops duplicate names (the last given wins) and finds an equal set written before. The
 *  form of a set is src/streams/metadata.ts's.
 *
 *  The level is that of an existing pair `detected_level`, or the stream's, or that of the first
 *  non-empty pair in the order of level keys (level.ts; other texts than levels are taken as they
 *  are), or comes from `severity_number` by OpenTelemetry's ranges (1-4 trace, 5-8 debug, 9-12
 *  info, 13-16 warn, 17-20 error, 21-24 fatal, another number unknown, no number info), or from the
 *  line. */
import {
  KEY_RANK_NONE,
  LEVEL_DEBUG,
  LEVEL_ERROR,
  LEVEL_FATAL,
  LEVEL_INFO,
  LEVEL_NONE,
  LEVEL_TRACE,
  LEVEL_UNKNOWN,
  LEVEL_WARN,
  levelKeyRank,
  levelOfText,
  lineLevel,
} from "./level";
import { copyBytes } from "./copy";
import { xxh64 } from "./hash";
import { isCleanName, writeName, writeValue } from "./sanitize";

/** Codes from here on are texts of `levelTexts`: pairs of address and length. */
const LEVEL_TEXTS: i32 = 16;

/** A pair of the row at hand; tables of them are arrays. */
@unmanaged
class Pair {
  name: u32;
  nameBytes: u32;
  value: u32;
  valueBytes: u32;
}
const PAIR_BYTES: usize = 16;

/** An occupied slot of the table of sets, if `id` is not 0. */
@unmanaged
class Slot {
  hash: u32;
  id: u32;
}

const levelNames = memory.data<u8>([
  0x74,
  0x72,
  0x61,
  0x63,
  0x65,
  0,
  0,
  0, // trace
  0x64,
  0x65,
  0x62,
  0x75,
  0x67,
  0,
  0,
  0, // debug
  0x69,
  0x6e,
  0x66,
  0x6f,
  0,
  0,
  0,
  0, // info
  0x77,
  0x61,
  0x72,
  0x6e,
  0,
  0,
  0,
  0, // warn
  0x65,
  0x72,
  0x72,
  0x6f,
  0x72,
  0,
  0,
  0, // error
  0x63,
  0x72,
  0x69,
  0x74,
  0x69,
  0x63,
  0x61,
  0x6c, // critical
  0x66,
  0x61,
  0x74,
  0x61,
  0x6c,
  0,
  0,
  0, // fatal
  0x75,
  0x6e,
  0x6b,
  0x6e,
  0x6f,
  0x77,
  0x6e,
  0, // unknown
]);
/** "detected_level" and room for loads of whole words. */
const detectedLevel = memory.data<u8>([
  0x64,
  0x65,
  0x74,
  0x65,
  0x63,
  0x74,
  0x65,
  0x64,
  0x5f,
  0x6c,
  0x65,
  0x76,
  0x65,
  0x6c,
  0,
  0,
]);
const DETECTED_LEVEL_BYTES: u32 = 14;
/** "severity_number" */
const severityNumber = memory.data<u8>([
  0x73,
  0x65,
  0x76,
  0x65,
  0x72,
  0x69,
  0x74,
  0x79,
  0x5f,
  0x6e,
  0x75,
  0x6d,
  0x62,
  0x65,
  0x72,
  0,
]);
const SEVERITY_NUMBER_BYTES: u32 = 15;

/** The pairs of the row at hand. The table has room for twice the pairs and one more: the upper
 *  half is for sorting. */
let pairTable: usize = 0;
export let pairCount: u32 = 0;
let nameCursor: usize = 0;

let slots: usize = 0;
let slotMask: u32 = 0;
let setEnds: usize = 0;
let meta: usize = 0;
export let metaEnd: usize = 0;
export let setCount: u32 = 0;
/** levelSets[code]: id of the set that holds nothing but this level. */
const levelSets = memory.data(256 * 4, 16);

function pairAt(index: u32): Pair {
  return changetype<Pair>(pairTable + <usize> index * PAIR_BYTES);
}

export function pairsBegin(table: usize): void {
  pairTable = table;
  pairCount = 0;
}

export function addPair(name: usize, nameBytes: usize, value: usize, valueBytes: usize): void {
  setPair(pairAt(pairCount++), name, nameBytes, value, valueBytes);
}

function setPair(pair: Pair, name: usize, nameBytes: u32, value: usize, valueBytes: u32): void {
  pair.name = name;
  pair.nameBytes = nameBytes;
  pair.value = value;
  pair.valueBytes = valueBytes;
}

/** Where sanitised names go: room for the row's name bytes and 4 more for each pair. */
export function namesBegin(pointer: usize): void {
  nameCursor = pointer;
}

/** Starts with no sets; `slotCount` is a power of two above the number of sets to come. */
export function beginSets(table: usize, slotCount: u32, ends: usize, bytes: usize): void {
  memory.fill(table, 0, <usize> slotCount * 8);
  memory.fill(levelSets, 0, 256 * 4);
  slots = table;
  slotMask = slotCount - 1;
  setEnds = ends;
  meta = bytes;
  metaEnd = bytes;
  setCount = 0;
}

/** The id of the set that holds nothing but detected_level. */
export function levelSet(level: i32, levelTexts: usize): u32 {
  const known = levelSets + (<usize> level << 2);
  let id = load<u32>(known);
  if (id == 0) {
    pairCount = 0;
    insertLevel(0, level, levelTexts);
    id = storeSet();
    store<u32>(known, id);
  }
  return id;
}

/** The id of the set for the pairs that were added. */
export function rowSet(
  detect: bool,
  streamLevel: i32,
  levelTexts: usize,
  line: usize,
  lineBytes: i32,
): u32 {
  for (let index: u32 = 0; index < pairCount; index++) sanitizeName(pairAt(index));
  sortPairs();
  dropDuplicates();
  if (detect) addLevel(streamLevel, levelTexts, line, lineBytes);
  return storeSet();
}

// ---- level ----

function addLevel(streamLevel: i32, levelTexts: usize, line: usize, lineBytes: i32): void {
  let place: u32 = 0;
  let bestRank = KEY_RANK_NONE;
  let best: u32 = 0;
  let severity: u32 = pairCount;
  for (let index: u32 = 0; index < pairCount; index++) {
    const pair = pairAt(index);
    const order = compareNames(pair, detectedLevel, DETECTED_LEVEL_BYTES);
    if (order == 0) {
      normalizeValue(pair);
      return;
    }
    if (order < 0) place = index + 1;
    if (pair.valueBytes == 0) continue;
    const rank = levelKeyRank(pair.name, pair.nameBytes, 0x5f);
    if (rank < bestRank) {
      bestRank = rank;
      best = index;
    }
    if (compareNames(pair, severityNumber, SEVERITY_NUMBER_BYTES) == 0) severity = index;
  }
  if (streamLevel != LEVEL_NONE) insertLevel(place, streamLevel, levelTexts);
  else if (bestRank != KEY_RANK_NONE) {
    const pair = pairAt(best);
    const value = pair.value, valueBytes = pair.valueBytes;
    insertPair(place, detectedLevel, DETECTED_LEVEL_BYTES, value, valueBytes);
    normalizeValue(pairAt(place));
  } else if (severity < pairCount) {
    const pair = pairAt(severity);
    insertLevel(place, severityLevel(pair.value, pair.valueBytes), levelTexts);
  } else insertLevel(place, lineLevel(line, lineBytes), levelTexts);
}

function levelName(level: i32): usize {
  return levelNames + (<usize> (level - 1) << 3);
}

function levelNameBytes(level: i32): u32 {
  if (level == LEVEL_INFO || level == LEVEL_WARN) return 4;
  if (level == LEVEL_UNKNOWN) return 7;
  return level == 6 ? 8 : 5;
}

/** Replaces a spelling of a level by its name. */
function normalizeValue(pair: Pair): void {
  const level = levelOfText(pair.value, pair.valueBytes);
  if (level == LEVEL_NONE) return;
  pair.value = levelName(level);
  pair.valueBytes = levelNameBytes(level);
}

function insertLevel(place: u32, level: i32, levelTexts: usize): void {
  let value = levelName(level);
  let valueBytes = levelNameBytes(level);
  if (level >= LEVEL_TEXTS) {
    const text = levelTexts + (<usize> (level - LEVEL_TEXTS) << 3);
    value = load<u32>(text);
    valueBytes = load<u32>(text, 4);
  }
  insertPair(place, detectedLevel, DETECTED_LEVEL_BYTES, value, valueBytes);
}

function insertPair(place: u32, name: usize, nameBytes: u32, value: usize, valueBytes: u32): void {
  const from = pairTable + <usize> place * PAIR_BYTES;
  memory.copy(from + PAIR_BYTES, from, <usize> (pairCount - place) * PAIR_BYTES);
  setPair(changetype<Pair>(from), name, nameBytes, value, valueBytes);
  pairCount++;
}

/** The level of a decimal number with an optional sign, as OpenTelemetry has it. */
function severityLevel(text: usize, length: u32): i32 {
  const end = text + <usize> length;
  const first = load<u8>(text);
  const negative = first == 0x2d;
  if (negative || first == 0x2b) text++;
  if (text == end) return LEVEL_INFO;
  let number: u32 = 0;
  for (; text < end; text++) {
    const digit = <u32> load<u8>(text) - 0x30;
    if (digit > 9) return LEVEL_INFO;
    number = min<u32>(number * 10 + digit, 1000);
  }
  if (negative || number == 0 || number > 24) return LEVEL_UNKNOWN;
  if (number <= 4) return LEVEL_TRACE;
  if (number <= 8) return LEVEL_DEBUG;
  if (number <= 12) return LEVEL_INFO;
  if (number <= 16) return LEVEL_WARN;
  return number <= 20 ? LEVEL_ERROR : LEVEL_FATAL;
}

function sanitizeName(pair: Pair): void {
  if (isCleanName(pair.name, pair.nameBytes)) return;
  const start = nameCursor;
  nameCursor = writeName(start, pair.name, pair.nameBytes);
  pair.name = start;
  pair.nameBytes = nameCursor - start;
}

// ---- order ----

/** Orders as memcmp does, the shorter first among equals. */
function compareNames(pair: Pair, name: usize, nameBytes: u32): i32 {
  const shared = <usize> min(pair.nameBytes, nameBytes);
  const own = <usize> pair.name;
  for (let at: usize = 0; at < shared; at++) {
    const difference = <i32> load<u8>(own + at) - <i32> load<u8>(name + at);
    if (difference != 0) return difference;
  }
  return <i32> (pair.nameBytes - nameBytes);
}

function comparePairs(a: usize, b: usize): i32 {
  const other = changetype<Pair>(b);
  return compareNames(changetype<Pair>(a), other.name, other.nameBytes);
}

/** Sorts by name, keeping the order of equals: by insertion while that is cheap, else by merging
 *  runs of doubling length. */
function sortPairs(): void {
  const count = <usize> pairCount;
  let run: usize = 16;
  for (let start: usize = 0; start < count; start += run) {
    insertionSort(pairTable + start * PAIR_BYTES, min(run, count - start));
  }
  let source = pairTable;
  let target = pairTable + (count + 1) * PAIR_BYTES;
  for (; run < count; run *= 2) {
    for (let start: usize = 0; start < count; start += 2 * run) {
      const middle = min(start + run, count);
      mergeRuns(source, target, start, middle, min(middle + run, count));
    }
    const merged = target;
    target = source;
    source = merged;
  }
  if (source != pairTable) memory.copy(pairTable, source, count * PAIR_BYTES);
}

function insertionSort(table: usize, count: usize): void {
  const held = memory.data(PAIR_BYTES, 16);
  for (let index: usize = 1; index < count; index++) {
    let at = table + index * PAIR_BYTES;
    if (comparePairs(at - PAIR_BYTES, at) <= 0) continue;
    v128.store(held, v128.load(at));
    do {
      v128.store(at, v128.load(at - PAIR_BYTES));
      at -= PAIR_BYTES;
    } while (at > table && comparePairs(at - PAIR_BYTES, held) > 0);
    v128.store(at, v128.load(held));
  }
}

function mergeRuns(source: usize, target: usize, start: usize, middle: usize, end: usize): void {
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    const takeLeft = left < middle &&
      (right >= end || comparePairs(source + left * PAIR_BYTES, source + right * PAIR_BYTES) <= 0);
    const from = takeLeft ? left++ : right++;
    v128.store(target + at * PAIR_BYTES, v128.load(source + from * PAIR_BYTES));
  }
}

function dropDuplicates(): void {
  let kept: u32 = 0;
  for (let index: u32 = 0; index < pairCount; index++) {
    const pair = pairAt(index);
    if (kept > 0 && compareNames(pairAt(kept - 1), pair.name, pair.nameBytes) == 0) kept--;
    if (kept != index) {
      v128.store(changetype<usize>(pairAt(kept)), v128.load(changetype<usize>(pair)));
    }
    kept++;
  }
  pairCount = kept;
}

// ---- sets ----

/** Writes the pairs behind the sets so far, unless an equal set is among them, and returns the
 *  set's id, from 1. */
function storeSet(): u32 {
  let at = metaEnd;
  for (let index: u32 = 0; index < pairCount; index++) {
    const pair = pairAt(index);
    const nameBytes = pair.nameBytes;
    copyBytes(at + 6, pair.name, nameBytes);
    const value = at + 6 + <usize> nameBytes;
    const valueEnd = writeValue(value, pair.value, pair.valueBytes);
    store<u16>(at, <u16> nameBytes);
    store<u32>(at, <u32> (valueEnd - value), 2);
    at = valueEnd;
  }
  const bytes = at - metaEnd;
  const hash = <u32> xxh64(metaEnd, <i32> bytes);
  let index = hash & slotMask;
  while (true) {
    const slot = changetype<Slot>(slots + (<usize> index << 3));
    if (slot.id == 0) {
      slot.hash = hash;
      slot.id = ++setCount;
      metaEnd = at;
      store<u32>(setEnds + (<usize> (setCount - 1) << 2), <u32> (metaEnd - meta));
      return setCount;
    }
    if (slot.hash == hash && isSet(slot.id, metaEnd, bytes)) return slot.id;
    index = (index + 1) & slotMask;
  }
}

function isSet(id: u32, bytes: usize, length: usize): bool {
  const start = id == 1 ? 0 : load<u32>(setEnds + (<usize> (id - 2) << 2));
  const end = load<u32>(setEnds + (<usize> (id - 1) << 2));
  return end - start == length && equalBytes(meta + <usize> start, bytes, length);
}

function equalBytes(a: usize, b: usize, length: usize): bool {
  let at: usize = 0;
  for (; at + 16 <= length; at += 16) {
    if (!i8x16.all_true(i8x16.eq(v128.load(a + at), v128.load(b + at)))) return false;
  }
  for (; at < length; at++) if (load<u8>(a + at) != load<u8>(b + at)) return false;
  return true;
}
