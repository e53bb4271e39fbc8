/** Turns bytes into push requests: cuts them into lines and packs the lines, a megabyte or so a request. Lines are
 *  never decoded, so any bytes are fine. push.ts owns sending, src/streams/pushEncoder.ts the protobuf. */
import type { NanosecondClock } from "../platform/clock.ts";
import { joinBytes } from "../platform/joinBytes.ts";
import { encodePushRequest, EntryBuffer } from "../streams/pushEncoder.ts";

/** A finished request and what is in it. */
export interface PushRequest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lineCount: number;
  /** Bytes of lines, without the ends of lines. */
  readonly lineBytes: number;
}

/** Packs lines of one stream into requests of about `requestBytes`. */
class PushRequestBuilder {
  readonly #labels: string;
  readonly #requestBytes: number;
  readonly #entries: EntryBuffer;
  #lineCount = 0;
  #lineBytes = 0;

  constructor(labels: string, requestBytes: number) {
    this.#labels = labels;
    this.#requestBytes = requestBytes;
    this.#entries = new EntryBuffer(requestBytes + 1024);
  }

  get isEmpty(): boolean {
    return this.#lineCount === 0;
  }

  /** Whether another line belongs in the next request. */
  get isFull(): boolean {
    return this.#entries.byteLength >= this.#requestBytes;
  }

  /** Adds the line bytes[start..end) with the clock's time. */
  add(bytes: Uint8Array, start: number, end: number, clock: NanosecondClock): void {
    clock.tick();
    this.#entries.add(bytes, start, end, clock.seconds, clock.nanoseconds);
    this.#lineCount++;
    this.#lineBytes += end - start;
  }

  /** The request with all lines since the last call; the builder is empty again. */
  finish(): PushRequest {
    const bytes = encodePushRequest([[this.#labels, this.#entries]]);
    const { lineCount, lineBytes } = { lineCount: this.#lineCount, lineBytes: this.#lineBytes };
    this.#entries.clear();
    this.#lineCount = this.#lineBytes = 0;
    return { bytes, lineCount, lineBytes };
  }
}

/** Requests of all lines in `input`, in order. A line ends with a line feed, of which a carriage return
 *  before it is a part; the last may lack it. `lineBytesMax` bounds what is kept of a line without an end;
 *  the rest becomes lines of its own. Timestamps are the time of reading, each at least a nanosecond after
 *  the one before. */
export async function* pushRequests(
  input: AsyncIterable<Uint8Array>,
  options: {
    readonly labels: string;
    readonly requestBytes: number;
    readonly lineBytesMax: number;
    readonly clock: NanosecondClock;
  },
): AsyncGenerator<PushRequest> {
  const builder = new PushRequestBuilder(options.labels, options.requestBytes);
  let rest: Uint8Array = new Uint8Array(0);
  for await (const part of input) {
    const bytes = rest.byteLength === 0 ? part : joinBytes([rest, part]);
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, start);
      const isCut = (end < 0 ? bytes.byteLength : end) - start > options.lineBytesMax;
      if (end < 0 && !isCut) break;
      const lineEnd = isCut ? start + options.lineBytesMax : end;
      const hasReturn = !isCut && lineEnd > start && bytes[lineEnd - 1] === carriageReturn;
      builder.add(bytes, start, hasReturn ? lineEnd - 1 : lineEnd, options.clock);
      start = isCut ? lineEnd : lineEnd + 1;
      if (builder.isFull) yield builder.finish();
    }
    rest = bytes.slice(start);
  }
  if (rest.byteLength > 0) {
    builder.add(rest, 0, rest.byteLength, options.clock);
  }
  if (!builder.isEmpty) yield builder.finish();
}

const lineFeed = 10;
const carriageReturn = 13;
