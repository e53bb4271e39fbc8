/** Decodes a push request (logproto.PushRequest, uncompressed) into columns, in two steps:
 *  decodePush checks the bytes and lists the streams, buildRows applies limits and copies the rows
 *  of the streams that the caller takes. assembly/push.ts owns the work, this file the memory. It
 *  has an instance of its own, so other kernels may run between the two steps. Invariant:
 *  everything returned is a view into that instance and ends with the next decodePush or buildRows.
 */
import { Kernels } from "./kernels.ts";
import { Level } from "./level.ts";

/** Why an entry was refused: the codes in PushRows.rejectReasons. */
export const PushReject = {
  /** Value: the line's bytes. */
  lineTooLong: 1,
  /** Value: the timestamp, ns; the least i64 if it was less than that. */
  tooOld: 2,
  /** Value: the timestamp, ns; the greatest i64 if it was more than that. */
  tooNew: 3,
  /** Value: bytes of names and values. */
  metadataTooLarge: 4,
  /** Value: number of pairs. */
  tooManyPairs: 5,
  /** Value: number of pairs. */
  metadataDisallowed: 6,
} as const;

/** What decodePush found. */
export interface PushStreams {
  readonly streamCount: number;
  /** Entries and line bytes of all streams. */
  readonly entryCount: number;
  readonly lineBytes: number;
  /** The label string of a stream as the client sent it, bytes that may not be UTF-8. */
  labelsOf(stream: number): Uint8Array;
  entryCountOf(stream: number): number;
}

/** Limits that buildRows applies, in Loki's order: time, line, metadata. A limit of 0 is none. */
export interface PushLimits {
  readonly lineBytesMax: number;
  /** Cut longer lines, at a code point, instead of refusing them. */
  readonly truncateLines: boolean;
  /** Inclusive bounds, ns. */
  readonly timeMin: bigint;
  readonly timeMax: bigint;
  /** Bytes of names and values of an entry. */
  readonly metaBytesMax: number;
  readonly metaPairsMax: number;
  /** Add `detected_level` to every row; without effect unless metadata is allowed. */
  readonly detectLevels: boolean;
  readonly allowMetadata: boolean;
  /** Values of `detected_level` that are no levels, for streams whose level label has other text:
   *  the code of the k-th is Level.texts + k. At most 240. */
  readonly levelTexts?: ReadonlyArray<Uint8Array>;
}

/** Takes everything as it is. */
export const noPushLimits: PushLimits = {
  lineBytesMax: 0,
  truncateLines: false,
  timeMin: -(2n ** 63n),
  timeMax: 2n ** 63n - 1n,
  metaBytesMax: 0,
  metaPairsMax: 0,
  detectLevels: false,
  allowMetadata: true,
};

/** Accepted rows as columns, in the order of the request, and what was refused. */
export interface PushRows {
  readonly rowCount: number;
  /** Per stream: the end of its rows; a skipped stream has none. */
  readonly rowEnds: Uint32Array;
  /** Per row: ns since 1970. */
  readonly timestamps: BigInt64Array;
  /** Per row: the end of its line in `lines`. */
  readonly lineEnds: Uint32Array;
  readonly lines: Uint8Array;
  /** Per row: 0 = no metadata, k = set k-1. Equal sets are one. */
  readonly metaIds: Uint32Array;
  readonly setEnds: Uint32Array;
  readonly meta: Uint8Array;
  /** Per refused entry: its stream, its place in the stream, a code of PushReject, and the value
   *  that broke the limit. */
  readonly rejectStreams: Uint32Array;
  readonly rejectEntries: Uint32Array;
  readonly rejectReasons: Uint8Array;
  readonly rejectValues: BigInt64Array;
  /** Per code of PushReject: line and metadata bytes refused. */
  readonly rejectedBytes: Uint32Array;
  /** Rows whose line was cut. */
  readonly truncatedCount: number;
}

/** The body is not a push request. */
export class PushFormatError extends Error {
  readonly byteOffset: number;
  readonly expected: string;

  constructor(byteOffset: number, expected: string) {
    super(`Push request is malformed at byte ${byteOffset}: expected ${expected}`);
    this.name = "PushFormatError";
    this.byteOffset = byteOffset;
    this.expected = expected;
  }
}

/** The body is longer than allowed once it is decompressed. */
export class PushTooLarge extends Error {
  override readonly name = "PushTooLarge";
  constructor(bytes: number, bytesMax: number) {
    super(`Push request has ${bytes} bytes when decompressed, the limit is ${bytesMax}`);
  }
}

/** The uncompressed length, a varint in front of snappy's elements. */
function snappyLength(
  body: Uint8Array,
): { readonly rawBytes: number; readonly headerBytes: number } {
  let rawBytes = 0;
  for (let at = 0; at < Math.min(5, body.byteLength); at++) {
    rawBytes += (body[at]! & 0x7f) * 2 ** (7 * at);
    if (body[at]! < 0x80) return { rawBytes, headerBytes: at + 1 };
  }
  throw new PushFormatError(0, "a snappy length (corrupt input)");
}

/** Checks an uncompressed push request and lists its streams. Throws a PushFormatError if it is
 *  malformed. */
export function decodePush(body: Uint8Array): PushStreams {
  const push = freshKernels(body.byteLength);
  return decodeAt(push, push.copyIn(body), body.byteLength);
}

/** As decodePush for a body in snappy's block format, as agents send it: undone in the kernel's memory, so that no copy of the
 *  push is left to the garbage collector. Throws a PushFormatError, or PushTooLarge if it is longer than `rawBytesMax` then. */
export function decodeSnappyPush(body: Uint8Array, rawBytesMax: number): PushStreams {
  const { rawBytes, headerBytes } = snappyLength(body);
  if (rawBytes > rawBytesMax) throw new PushTooLarge(rawBytes, rawBytesMax);
  // Snappy makes at most 64 bytes of three; a length beyond that is a lie told to allocate memory.
  if (rawBytes > 22 * body.byteLength) {
    throw new PushFormatError(
      0,
      `a snappy length that ${body.byteLength} bytes can hold, found ${rawBytes}`,
    );
  }
  const push = freshKernels(rawBytes);
  const source = push.copyIn(body);
  const pointer = push.reserve(rawBytes);
  const elements = body.byteLength - headerBytes;
  const failed = push.exports.snappyDecode(source + headerBytes, elements, pointer, rawBytes);
  if (failed !== 0) {
    const where = headerBytes + failed - 1;
    throw new PushFormatError(where, "intact snappy (corrupt input)");
  }
  return decodeAt(push, pointer, rawBytes);
}

/** The instance, ready for a body of so many bytes. */
function freshKernels(bodyBytes: number): Kernels<PushExports> {
  decoded = undefined;
  // Linear memory never shrinks: an instance that one huge request has grown is left to the collector.
  if ((instance?.memory.byteLength ?? 0) > Math.max(retainedBytesMax, 16 * bodyBytes)) {
    instance = undefined;
  }
  const push = pushKernels();
  push.reset();
  return push;
}

function decodeAt(push: Kernels<PushExports>, pointer: number, bodyBytes: number): PushStreams {
  const { exports } = push;
  const streamCount = exports.pushStreams(pointer, bodyBytes);
  checkFormat(exports, pointer);
  const streamTable = push.reserve(streamCount * exports.pushStreamRowBytes());
  exports.pushDecode(pointer, bodyBytes, streamTable);
  checkFormat(exports, pointer);
  const totals = totalsAt(push, exports.pushTotals());
  const { entryCount, lineBytes } = totals;
  decoded = { streamCount, streamTable, totals, mark: push.mark };
  const row = (stream: number): Uint32Array => {
    if (!(stream >= 0 && stream < streamCount)) {
      throw new RangeError(`Stream ${stream} of ${streamCount} in a push request`);
    }
    return push.u32(streamTable + stream * exports.pushStreamRowBytes(), 5);
  };
  return {
    streamCount,
    entryCount,
    lineBytes,
    labelsOf: (stream) => push.bytes(row(stream)[2]!, row(stream)[3]!),
    entryCountOf: (stream) => row(stream)[4]!,
  };
}

/** Builds rows from the request decoded last. `take` has 1 for each stream to take and 0 for each
 *  to skip, `streamLevels` the code (level.ts) of the level that the stream's labels give, 0 for
 *  none. */
export function buildRows(
  take: Uint8Array,
  streamLevels: Uint8Array,
  limits: PushLimits,
): PushRows {
  if (decoded === undefined) throw new Error("buildRows was called before decodePush succeeded");
  const { streamCount } = decoded;
  if (take.length !== streamCount || streamLevels.length !== streamCount) {
    throw new RangeError(
      `Push request has ${streamCount} streams, but take has ${take.length} and ` +
        `streamLevels ${streamLevels.length}`,
    );
  }
  checkLevels(streamLevels, limits.levelTexts?.length ?? 0);
  const push = pushKernels();
  push.reset(decoded.mark);
  const frame = layOut(push, decoded, take, streamLevels, limits);
  push.exports.pushBuild(frame, limits.timeMin, limits.timeMax);
  return rowsOf(push, push.u32(frame, frameFieldCount));
}

type Totals = ReturnType<typeof totalsAt>;

interface Decoded {
  readonly streamCount: number;
  readonly streamTable: number;
  readonly totals: Totals;
  /** Memory up to here belongs to the request. */
  readonly mark: number;
}

interface PushExports {
  snappyDecode(source: number, length: number, target: number, rawLength: number): number;
  pushStreams(body: number, length: number): number;
  pushDecode(body: number, length: number, streamTable: number): void;
  pushBuild(frame: number, timeMin: bigint, timeMax: bigint): void;
  pushTotals(): number;
  pushFailCode(): number;
  pushFailAt(): number;
  pushStreamRowBytes(): number;
  pushFrameBytes(): number;
}

/** Places of the fields of BuildFrame in assembly/push.ts. */
const frameField = {
  streamCount: 0,
  streamTable: 1,
  take: 2,
  streamLevels: 3,
  levelTexts: 4,
  lineBytesMax: 5,
  truncateLines: 6,
  metaBytesMax: 7,
  metaPairsMax: 8,
  detectLevels: 9,
  allowMetadata: 10,
  rowEnds: 11,
  timestamps: 12,
  lineEnds: 13,
  lines: 14,
  metaIds: 15,
  setEnds: 16,
  meta: 17,
  setSlots: 18,
  setSlotCount: 19,
  pairTable: 20,
  nameBytes: 21,
  rejectStreams: 22,
  rejectEntries: 23,
  rejectReasons: 24,
  rejectValues: 25,
  rejectedBytes: 26,
  rowCount: 27,
  lineBytes: 28,
  setCount: 29,
  metaBytes: 30,
  rejectCount: 31,
  truncatedCount: 32,
} as const;
const frameFieldCount = 33;
const reasonCount = 7;
/** Memory that is kept from request to request; the usual megabyte of lines needs about four. */
const retainedBytesMax = 64 * 1024 * 1024;
const levelTextsMax = 240;
/** Two length fields and the four bytes that sanitising may add to a name. */
const pairOverheadBytes = 10;
/** Length fields and name of a detected_level pair, and the longest level. */
const levelPairBytes = 28;

/** By the kernel's failure codes. */
const expectations = [
  "",
  "a whole varint of at most 10 bytes",
  "a length that ends within its message",
  "a length-delimited field",
  "a varint field",
  "wire type 0, 1, 2 or 5",
  "a field number from 1 to 536870911",
  "all bytes of a fixed-size field",
];

let instance: Kernels<PushExports> | undefined;
let decoded: Decoded | undefined;

function pushKernels(): Kernels<PushExports> {
  if (instance === undefined) {
    instance = new Kernels<PushExports>();
    if (instance.exports.pushFrameBytes() !== frameFieldCount * 4) {
      throw new Error(
        "Compiled kernels do not fit src/kernels/push.ts: run `node scripts/prepare.mjs`",
      );
    }
  }
  return instance;
}

function checkFormat(exports: PushExports, body: number): void {
  const code = exports.pushFailCode();
  if (code !== 0) throw new PushFormatError(exports.pushFailAt() - body, expectations[code]!);
}

function checkLevels(streamLevels: Uint8Array, textCount: number): void {
  for (let stream = 0; stream < streamLevels.length; stream++) {
    const code = streamLevels[stream]!;
    if (code <= Level.unknown || (code >= Level.texts && code < Level.texts + textCount)) continue;
    throw new RangeError(`Stream ${stream} has level code ${code}: see Level in level.ts`);
  }
}

/** No request reaches the greatest 32-bit limit, so greater ones are the same. */
function limit32(limit: number): number {
  return Math.min(limit, 0xffffffff);
}

/** What the first pass counted: the fields of Totals in assembly/push.ts. */
function totalsAt(push: Kernels<PushExports>, pointer: number) {
  const fields = push.u32(pointer, 7);
  return {
    entryCount: fields[0]!,
    entriesWithPairs: fields[1]!,
    pairCount: fields[2]!,
    /** Of the entry that has most. */
    pairCountMax: fields[3]!,
    pairBytes: fields[4]!,
    pairBytesMax: fields[5]!,
    lineBytes: fields[6]!,
  };
}

/** Reserves memory for everything that the second pass may write and returns the address of the
 *  filled frame. */
function layOut(
  push: Kernels<PushExports>,
  request: Decoded,
  take: Uint8Array,
  streamLevels: Uint8Array,
  limits: PushLimits,
): number {
  const { entryCount, entriesWithPairs, pairCount, pairCountMax, pairBytes, pairBytesMax } =
    request.totals;
  const texts = levelTable(push, limits.levelTexts ?? []);
  const setCountMax = entriesWithPairs + Level.texts + texts.count;
  const setSlotCount = 2 ** Math.ceil(Math.log2(2 * setCountMax));
  // A row's level may be as long as any of its values, so values count twice.
  const metaBytesMax = 2 * pairBytes + pairCount * pairOverheadBytes +
    setCountMax * (levelPairBytes + texts.lengthMax);
  const pointers = {
    streamCount: request.streamCount,
    streamTable: request.streamTable,
    take: push.copyIn(take),
    streamLevels: push.copyIn(streamLevels),
    levelTexts: texts.pointer,
    lineBytesMax: limit32(limits.lineBytesMax),
    truncateLines: Number(limits.truncateLines),
    metaBytesMax: limit32(limits.metaBytesMax),
    metaPairsMax: limit32(limits.metaPairsMax),
    detectLevels: Number(limits.detectLevels && limits.allowMetadata),
    allowMetadata: Number(limits.allowMetadata),
    rowEnds: push.reserve(request.streamCount * 4),
    timestamps: push.reserve(entryCount * 8),
    lineEnds: push.reserve(entryCount * 4),
    lines: push.reserve(request.totals.lineBytes),
    metaIds: push.reserve(entryCount * 4),
    setEnds: push.reserve(setCountMax * 4),
    meta: push.reserve(metaBytesMax),
    setSlots: push.reserve(setSlotCount * 8),
    setSlotCount,
    pairTable: push.reserve((pairCountMax + 1) * 2 * 16),
    nameBytes: push.reserve(pairBytesMax + pairCountMax * 4),
    rejectStreams: push.reserve(entryCount * 4),
    rejectEntries: push.reserve(entryCount * 4),
    rejectReasons: push.reserve(entryCount),
    rejectValues: push.reserve(entryCount * 8),
    rejectedBytes: push.reserve(reasonCount * 4),
  };
  const frame = push.reserve(frameFieldCount * 4);
  const fields = push.u32(frame, frameFieldCount);
  for (const [name, value] of Object.entries(pointers)) {
    fields[frameField[name as keyof typeof pointers]] = value;
  }
  return frame;
}

/** Copies the level texts in, with a table of their addresses and lengths. */
function levelTable(push: Kernels<PushExports>, texts: ReadonlyArray<Uint8Array>) {
  if (texts.length > levelTextsMax) {
    throw new RangeError(`${texts.length} level texts: at most ${levelTextsMax} are possible`);
  }
  const pointers = texts.map((text) => push.copyIn(text));
  const pointer = push.reserve(texts.length * 8);
  const table = push.u32(pointer, texts.length * 2);
  let lengthMax = 0;
  for (let index = 0; index < texts.length; index++) {
    const length = texts[index]!.byteLength;
    table[2 * index] = pointers[index]!;
    table[2 * index + 1] = length;
    lengthMax = Math.max(lengthMax, length);
  }
  return { pointer, count: texts.length, lengthMax };
}

function rowsOf(push: Kernels<PushExports>, frame: Uint32Array): PushRows {
  const field = (name: keyof typeof frameField): number => frame[frameField[name]]!;
  const rowCount = field("rowCount");
  const rejectCount = field("rejectCount");
  return {
    rowCount,
    rowEnds: push.u32(field("rowEnds"), field("streamCount")),
    timestamps: push.i64(field("timestamps"), rowCount),
    lineEnds: push.u32(field("lineEnds"), rowCount),
    lines: push.bytes(field("lines"), field("lineBytes")),
    metaIds: push.u32(field("metaIds"), rowCount),
    setEnds: push.u32(field("setEnds"), field("setCount")),
    meta: push.bytes(field("meta"), field("metaBytes")),
    rejectStreams: push.u32(field("rejectStreams"), rejectCount),
    rejectEntries: push.u32(field("rejectEntries"), rejectCount),
    rejectReasons: push.bytes(field("rejectReasons"), rejectCount),
    rejectValues: push.i64(field("rejectValues"), rejectCount),
    rejectedBytes: push.u32(field("rejectedBytes"), reasonCount),
    truncatedCount: field("truncatedCount"),
  };
}
