/** Pages of log queries: a cursor says which line was the last of a page, so that the next one starts
 *  right after it, also among lines of one time. Owns the cursor's text. Invariant: the pages of a query
 *  over data that does not change are, one after another, its answer without a limit. */
import { Effect } from "effect";
import type { LogAnswer, LogRequest, Querier } from "../actors/querier/Querier.ts";
import type { ResultRow } from "../actors/querier/merge.ts";
import type { Direction } from "../actors/protocol/scan.ts";
import { streamFingerprint } from "../streams/fingerprint.ts";
import { BadRequest } from "./params.ts";

/** The place of the last line of a page. */
interface Place {
  readonly direction: Direction;
  readonly time: bigint;
  /** How many lines of that time all pages so far had. */
  readonly linesAtTime: number;
  /** How many of them, the last ones, were of the last line's stream. */
  readonly linesOfStream: number;
  /** Stands for that stream. */
  readonly stream: bigint;
}

/** The parameter `cursor`: undefined without one, null to begin with the first page. Throws BadRequest. */
export function parseCursor(
  params: URLSearchParams,
  direction: Direction,
): Place | null | undefined {
  const text = params.get("cursor");
  if (text === null) return undefined;
  if (text === "") return null;
  const match = /^([bf])(-?\d{1,19})\.(\d{1,7})\.(\d{1,7})\.([\da-f]{1,16})$/.exec(text);
  if (match === null) {
    throw new BadRequest(
      `cannot read the cursor "${
        text.slice(0, 100)
      }": send what the page before answered, or nothing for the first page`,
    );
  }
  if (match[1] !== direction[0]) {
    throw new BadRequest(
      `the cursor is of the other direction than ${direction}: a query is paged in one direction`,
    );
  }
  return {
    direction,
    time: BigInt(match[2]!),
    linesAtTime: Number(match[3]),
    linesOfStream: Number(match[4]),
    stream: BigInt(`0x${match[5]}`),
  };
}

/** One page. `cursor` is that of the next page, null if there is none. */
export const selectPage = Effect.fnUntraced(function* (
  querier: Querier["Service"],
  request: LogRequest,
  place: Place | null,
) {
  const limit = request.limit + (place?.linesAtTime ?? 0);
  const answer = yield* querier.selectLogs({ ...request, range: rangeFrom(request, place), limit });
  const rows = rowsAfter(answer.rows, place).slice(0, request.limit);
  // What was asked for came, so there may be more.
  const isLast = answer.rows.length < limit || rows.length === 0;
  const cursor = isLast ? null : cursorOf(placeOf(rows, place, request.direction));
  return { answer: { ...answer, rows } satisfies LogAnswer, cursor };
});

/** The times whose lines can follow: that of the last line is among them. */
function rangeFrom({ range, direction }: LogRequest, place: Place | null): LogRequest["range"] {
  if (place === null) return range;
  const { start, end } = range;
  if (direction === "forward") return { start: clamp(place.time, start, end), end };
  return { start, end: clamp(place.time + 1n, start, end) };
}

function clamp(time: bigint, least: bigint, most: bigint): bigint {
  return time < least ? least : time > most ? most : time;
}

/** Without the lines of earlier pages. */
function rowsAfter(
  rows: ReadonlyArray<ResultRow>,
  place: Place | null,
): ReadonlyArray<ResultRow> {
  if (place === null) return rows;
  let ofStream = 0;
  for (let index = 0; index < rows.length; index++) {
    const { time, stream } = rows[index]!;
    if (time !== place.time) break;
    if (fingerprintOf(stream) !== place.stream) continue;
    if (++ofStream === place.linesOfStream) return rows.slice(index + 1);
  }
  // The stream is gone, by retention or deletion: its place in the order is not known any more.
  let known = 0;
  while (known < place.linesAtTime && rows[known]?.time === place.time) known++;
  return rows.slice(known);
}

function placeOf(
  rows: ReadonlyArray<ResultRow>,
  before: Place | null,
  direction: Direction,
): Place {
  const { time, stream } = rows.at(-1)!;
  let linesAtTime = 0;
  let linesOfStream = 0;
  for (let index = rows.length - 1; index >= 0 && rows[index]!.time === time; index--) {
    linesAtTime++;
    if (rows[index]!.stream === stream) linesOfStream++;
  }
  const fingerprint = fingerprintOf(stream);
  if (before !== null && before.time === time && linesAtTime === rows.length) {
    linesAtTime += before.linesAtTime;
    if (before.stream === fingerprint) linesOfStream += before.linesOfStream;
  }
  return { direction, time, linesAtTime, linesOfStream, stream: fingerprint };
}

function cursorOf({ direction, time, linesAtTime, linesOfStream, stream }: Place): string {
  return `${direction[0]}${time}.${linesAtTime}.${linesOfStream}.${stream.toString(16)}`;
}

function fingerprintOf(stream: string): bigint {
  return streamFingerprint("", stream);
}
