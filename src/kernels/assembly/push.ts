/** Decodes a logproto.PushRequest into columns, in two passes over the same bytes, because label
 *  strings are looked up in JavaScript in between. The first pass (pushStreams, pushDecode) checks
 *  everything that can be malformed and lists the streams; the second (pushBuild) applies the
 *  limits and copies rows. metadata.ts owns a row's metadata set, protobuf.ts the wire format,
 *  level.ts the level of a line. Invariant: outputs fit in what pushTotals() counted, so JavaScript
 *  reserves all memory before each pass. */
import {
  cursor,
  FAIL_NONE,
  failAt,
  failCode,
  moveTo,
  openAt,
  readBytesField,
  readField,
  readVarintField,
  skipField,
  varintBytes,
  varintStop,
  varintValue,
} from "./protobuf";
import {
  addPair,
  beginSets,
  levelSet,
  metaEnd,
  namesBegin,
  pairCount,
  pairsBegin,
  rowSet,
  setCount,
} from "./metadata";
import { copyBytes } from "./copy";
import { LEVEL_NONE, lineLevel } from "./level";

/** A row of the stream table. */
@unmanaged
class StreamRow {
  start: u32;
  end: u32;
  labels: u32;
  labelBytes: u32;
  entryCount: u32;
}

/** What the first pass counted, for the sizes of the second pass's memory. */
@unmanaged
class Totals {
  entryCount: u32;
  entriesWithPairs: u32;
  pairCount: u32;
  pairCountMax: u32;
  pairBytes: u32;
  pairBytesMax: u32;
  lineBytes: u32;
}

/** What the second pass is given and gives: counts and addresses, all u32. JavaScript knows the
 *  order of the fields. */
@unmanaged
class BuildFrame {
  streamCount: u32;
  streamTable: u32;
  take: u32;
  streamLevels: u32;
  levelTexts: u32;
  lineBytesMax: u32;
  truncateLines: u32;
  metaBytesMax: u32;
  metaPairsMax: u32;
  detectLevels: u32;
  allowMetadata: u32;
  rowEnds: u32;
  timestamps: u32;
  lineEnds: u32;
  lines: u32;
  metaIds: u32;
  setEnds: u32;
  meta: u32;
  setSlots: u32;
  setSlotCount: u32;
  pairTable: u32;
  nameBytes: u32;
  rejectStreams: u32;
  rejectEntries: u32;
  rejectReasons: u32;
  rejectValues: u32;
  rejectedBytes: u32;
  rowCount: u32;
  lineBytes: u32;
  setCount: u32;
  metaBytes: u32;
  rejectCount: u32;
  truncatedCount: u32;
}

const REJECT_NONE: u32 = 0;
const REJECT_LINE_TOO_LONG: u32 = 1;
const REJECT_TOO_OLD: u32 = 2;
const REJECT_TOO_NEW: u32 = 3;
const REJECT_METADATA_TOO_LARGE: u32 = 4;
const REJECT_TOO_MANY_PAIRS: u32 = 5;
const REJECT_METADATA_DISALLOWED: u32 = 6;

/** Names have a 16-bit length in a set, and sanitising may add 4 bytes. */
const NAME_BYTES_MAX: usize = 65531;

const totals = memory.data(32, 8);

/** The entry that was parsed last. */
let line: usize = 0;
let lineBytes: usize = 0;
let seconds: i64 = 0;
let nanos: i32 = 0;
let pairBytes: usize = 0;
let longestName: usize = 0;
let entryPairs: u32 = 0;

export function pushFailCode(): i32 {
  return failCode;
}

export function pushFailAt(): usize {
  return failAt;
}

export function pushTotals(): usize {
  return totals;
}

export function pushStreamRowBytes(): usize {
  return offsetof<StreamRow>();
}

export function pushFrameBytes(): usize {
  return offsetof<BuildFrame>();
}

/** Counts the streams of a request; check pushFailCode(). */
export function pushStreams(body: usize, length: usize): i32 {
  const end = body + length;
  let count = 0;
  openAt(body);
  while (cursor < end && failCode == FAIL_NONE) {
    if (readField(end) == 1) {
      moveTo(readBytesField(end));
      count++;
    } else if (failCode == FAIL_NONE) skipField(end);
  }
  return count;
}

/** Checks the whole request, fills the stream table and the totals; check pushFailCode(). */
export function pushDecode(body: usize, length: usize, streamTable: usize): void {
  const end = body + length;
  memory.fill(totals, 0, offsetof<Totals>());
  openAt(body);
  while (cursor < end && failCode == FAIL_NONE) {
    if (readField(end) == 1) {
      const streamEnd = readBytesField(end);
      decodeStream(changetype<StreamRow>(streamTable), streamEnd);
      streamTable += offsetof<StreamRow>();
    } else if (failCode == FAIL_NONE) skipField(end);
  }
}

function decodeStream(row: StreamRow, end: usize): void {
  row.start = cursor;
  row.end = end;
  row.labels = cursor;
  row.labelBytes = 0;
  row.entryCount = 0;
  while (cursor < end && failCode == FAIL_NONE) {
    const field = readField(end);
    if (field == 1) {
      const labelsEnd = readBytesField(end);
      row.labels = cursor;
      row.labelBytes = labelsEnd - cursor;
      moveTo(labelsEnd);
    } else if (field == 2) {
      parseEntry(readBytesField(end), false);
      row.entryCount++;
      countEntry();
    } else if (failCode == FAIL_NONE) skipField(end);
  }
}

function countEntry(): void {
  const sums = changetype<Totals>(totals);
  sums.entryCount++;
  sums.lineBytes += lineBytes;
  if (entryPairs == 0) return;
  sums.entriesWithPairs++;
  sums.pairCount += entryPairs;
  sums.pairBytes += pairBytes;
  sums.pairCountMax = max(sums.pairCountMax, entryPairs);
  sums.pairBytesMax = max(sums.pairBytesMax, <u32> pairBytes);
}

/** Reads the entry from the cursor to `end` into the variables above, its pairs into metadata.ts if
 *  `keepPairs`. */
function parseEntry(end: usize, keepPairs: bool): void {
  line = end;
  lineBytes = 0;
  seconds = 0;
  nanos = 0;
  pairBytes = 0;
  longestName = 0;
  entryPairs = 0;
  parseUsualFields(end);
  while (cursor < end && failCode == FAIL_NONE) {
    const field = readField(end);
    if (field == 2) {
      const lineEnd = readBytesField(end);
      line = cursor;
      lineBytes = lineEnd - cursor;
      moveTo(lineEnd);
    } else if (field == 1) parseTimestamp(readBytesField(end));
    else if (field == 3) parsePair(readBytesField(end), keepPairs);
    else if (failCode == FAIL_NONE) skipField(end);
  }
}

/** Passes over a timestamp and a line in the form that every client writes them, in few branches:
 *  timestamp first, seconds before nanos, no other field in between. Leaves the cursor where it was
 *  if the form is another. */
function parseUsualFields(end: usize): void {
  let at = cursor;
  if (end - at < 2 || load<u8>(at) != 0x0a) return;
  const timeEnd = at + 2 + <usize> load<u8>(at, 1);
  if (load<u8>(at, 1) >= 0x80 || timeEnd >= end || load<u8>(timeEnd) != 0x12) return;
  at += 2;
  let usualSeconds: i64 = 0;
  let usualNanos: i32 = 0;
  if (at < timeEnd && load<u8>(at) == 0x08) {
    const word = load<u64>(at, 1);
    const stop = varintStop(word);
    if (stop == 0) return;
    usualSeconds = varintValue(word, stop);
    at += 1 + varintBytes(stop);
  }
  if (at < timeEnd && load<u8>(at) == 0x10) {
    const word = load<u64>(at, 1);
    const stop = varintStop(word);
    if (stop == 0) return;
    usualNanos = <i32> varintValue(word, stop);
    at += 1 + varintBytes(stop);
  }
  if (at != timeEnd) return;
  const word = load<u64>(at, 1);
  const stop = varintStop(word);
  if (stop == 0) return;
  at += 1 + varintBytes(stop);
  const length = varintValue(word, stop);
  if (at > end || length > <u64> (end - at)) return;
  seconds = usualSeconds;
  nanos = usualNanos;
  line = at;
  lineBytes = <usize> length;
  moveTo(at + lineBytes);
}

function parseTimestamp(end: usize): void {
  while (cursor < end && failCode == FAIL_NONE) {
    const field = readField(end);
    if (field == 1) seconds = readVarintField(end);
    else if (field == 2) nanos = <i32> readVarintField(end);
    else if (failCode == FAIL_NONE) skipField(end);
  }
}

function parsePair(end: usize, keep: bool): void {
  let name: usize = end, nameBytes: usize = 0;
  let value: usize = end, valueBytes: usize = 0;
  while (cursor < end && failCode == FAIL_NONE) {
    const field = readField(end);
    if (field == 1 || field == 2) {
      const textEnd = readBytesField(end);
      if (field == 1) {
        name = cursor;
        nameBytes = textEnd - cursor;
      } else {
        value = cursor;
        valueBytes = textEnd - cursor;
      }
      moveTo(textEnd);
    } else if (failCode == FAIL_NONE) skipField(end);
  }
  entryPairs++;
  pairBytes += nameBytes + valueBytes;
  longestName = max(longestName, nameBytes);
  if (keep) addPair(name, nameBytes, value, valueBytes);
}

let timeMin: i64 = 0;
let timeMax: i64 = 0;
let rejectValue: i64 = 0;
let timestamp: i64 = 0;

/** Copies the rows of the streams to take that keep within the limits. */
export function pushBuild(framePointer: usize, timeFrom: i64, timeTo: i64): void {
  const frame = changetype<BuildFrame>(framePointer);
  timeMin = timeFrom;
  timeMax = timeTo;
  frame.rowCount = 0;
  frame.lineBytes = 0;
  frame.rejectCount = 0;
  frame.truncatedCount = 0;
  memory.fill(frame.rejectedBytes, 0, 7 * 4);
  beginSets(frame.setSlots, frame.setSlotCount, frame.setEnds, frame.meta);
  for (let stream: usize = 0; stream < frame.streamCount; stream++) {
    if (load<u8>(frame.take + stream) != 0) buildStream(frame, stream);
    store<u32>(frame.rowEnds + (stream << 2), frame.rowCount);
  }
  frame.setCount = setCount;
  frame.metaBytes = metaEnd - frame.meta;
}

function buildStream(frame: BuildFrame, stream: usize): void {
  const row = changetype<StreamRow>(<usize> frame.streamTable + stream * offsetof<StreamRow>());
  const streamLevel = load<u8>(frame.streamLevels + stream);
  const end = <usize> row.end;
  let entry: u32 = 0;
  openAt(row.start);
  while (cursor < end) {
    if (readField(end) != 2) {
      skipField(end);
      continue;
    }
    pairsBegin(frame.pairTable);
    parseEntry(readBytesField(end), true);
    const reason = checkEntry(frame);
    if (reason != REJECT_NONE) reject(frame, stream, entry, reason);
    else addRow(frame, streamLevel);
    entry++;
  }
}

/** Checks in Loki's order and sets `timestamp`, or returns why the entry is refused and sets
 *  `rejectValue`. */
function checkEntry(frame: BuildFrame): u32 {
  const saturated = saturatedTimestamp();
  rejectValue = timestamp;
  if (saturated < 0 || timestamp < timeMin) return REJECT_TOO_OLD;
  if (saturated > 0 || timestamp > timeMax) return REJECT_TOO_NEW;
  const lineMax = <usize> frame.lineBytesMax;
  if (lineMax != 0 && lineBytes > lineMax) {
    rejectValue = lineBytes;
    if (frame.truncateLines == 0) return REJECT_LINE_TOO_LONG;
  }
  if (entryPairs == 0) return REJECT_NONE;
  if (frame.allowMetadata == 0) {
    rejectValue = entryPairs;
    return REJECT_METADATA_DISALLOWED;
  }
  const metaMax = <usize> frame.metaBytesMax;
  if ((metaMax != 0 && pairBytes > metaMax) || longestName > NAME_BYTES_MAX) {
    rejectValue = pairBytes;
    return REJECT_METADATA_TOO_LARGE;
  }
  if (frame.metaPairsMax != 0 && entryPairs > frame.metaPairsMax) {
    rejectValue = entryPairs;
    return REJECT_TOO_MANY_PAIRS;
  }
  return REJECT_NONE;
}

/** Sets `timestamp` to seconds * 1e9 + nanos, or to the nearest i64; returns -1 if it was too
 *  small, 1 if too large. */
function saturatedTimestamp(): i32 {
  // Whole seconds of nanos go to the seconds first, so that the sum leaves i64 only if the time
  // does.
  let fraction = <i64> nanos % 1_000_000_000;
  let whole = <i64> nanos / 1_000_000_000;
  if (fraction < 0) {
    fraction += 1_000_000_000;
    whole--;
  }
  // Far outside i64 nanoseconds, and close enough to the limits of i64 seconds that adding `whole`
  // might wrap.
  const secondsFar: i64 = 1 << 40;
  const total = min<i64>(max<i64>(seconds, -secondsFar), secondsFar) + whole;
  const secondsMax: i64 = 9_223_372_036;
  if (total > secondsMax || (total == secondsMax && fraction > 854_775_807)) {
    timestamp = i64.MAX_VALUE;
    return 1;
  }
  // i64's minimum is -9223372037 s + 145224192 ns.
  const secondsMin: i64 = -9_223_372_037;
  if (total < secondsMin || (total == secondsMin && fraction < 145_224_192)) {
    timestamp = i64.MIN_VALUE;
    return -1;
  }
  // The product alone may wrap at the lower end; the sum, modulo 2^64, is right.
  timestamp = total * 1_000_000_000 + fraction;
  return 0;
}

function reject(frame: BuildFrame, stream: usize, entry: u32, reason: u32): void {
  const index = <usize> (frame.rejectCount++);
  store<u32>(frame.rejectStreams + (index << 2), stream);
  store<u32>(frame.rejectEntries + (index << 2), entry);
  store<u8>(frame.rejectReasons + index, <u8> reason);
  store<i64>(frame.rejectValues + (index << 3), rejectValue);
  const sum = <usize> frame.rejectedBytes + (<usize> reason << 2);
  store<u32>(sum, load<u32>(sum) + lineBytes + pairBytes);
}

function addRow(frame: BuildFrame, streamLevel: i32): void {
  const row = <usize> (frame.rowCount++);
  if (frame.lineBytesMax != 0 && lineBytes > frame.lineBytesMax) {
    lineBytes = truncatedLength(frame.lineBytesMax);
    frame.truncatedCount++;
  }
  store<i64>(frame.timestamps + (row << 3), timestamp);
  copyBytes(frame.lines + frame.lineBytes, line, lineBytes);
  frame.lineBytes += lineBytes;
  store<u32>(frame.lineEnds + (row << 2), frame.lineBytes);
  let set: u32 = 0;
  if (pairCount > 0) {
    namesBegin(frame.nameBytes);
    set = rowSet(frame.detectLevels != 0, streamLevel, frame.levelTexts, line, <i32> lineBytes);
  } else if (frame.detectLevels != 0) {
    const level = streamLevel != LEVEL_NONE ? streamLevel : lineLevel(line, <i32> lineBytes);
    set = levelSet(level, frame.levelTexts);
  }
  store<u32>(frame.metaIds + (row << 2), set);
}

/** At most `most` bytes, less if that would leave the start of a UTF-8 sequence without its end. */
function truncatedLength(most: usize): usize {
  let length = most;
  while (length > 0 && most - length < 3 && (load<u8>(line + length) & 0xc0) == 0x80) length--;
  return (load<u8>(line + length) & 0xc0) == 0x80 ? most : length;
}
