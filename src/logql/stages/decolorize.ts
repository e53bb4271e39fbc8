/** `| decolorize`: removes the sequences by which programs colour what terminals show. ECMA-48 has
 *  them: ESC [, parameters, intermediates and a final byte; ESC ], text and BEL or ESC \. Invariant: a
 *  sequence without its end stays. */
import type { RowStage } from "./stage.ts";

export const decolorize: RowStage = {
  apply: (row) => {
    const { line, lineStart, lineEnd } = row;
    let at = nextEscape(line, lineStart, lineEnd);
    if (at === lineEnd) return true;
    let out = row.take(lineEnd - lineStart);
    const start = out;
    const to = row.scratch;
    let from = lineStart;
    while (at < lineEnd) {
      const end = sequenceEnd(line, at, lineEnd);
      if (end > at) {
        for (let place = from; place < at; place++) to[out++] = line[place]!;
        from = end;
        at = end;
      } else at++;
      at = nextEscape(line, at, lineEnd);
    }
    for (let place = from; place < lineEnd; place++) to[out++] = line[place]!;
    row.shrink(out);
    row.line = to;
    row.lineStart = start;
    row.lineEnd = out;
    return true;
  },
};

const escape = 0x1b;
const bell = 0x07;

function nextEscape(line: Uint8Array, at: number, end: number): number {
  while (at < end && line[at] !== escape) at++;
  return at;
}

/** Where the sequence that begins at `at` ends; `at` if there is none. */
function sequenceEnd(line: Uint8Array, at: number, end: number): number {
  const kind = at + 1 < end ? line[at + 1]! : 0;
  let place = at + 2;
  if (kind === 0x5b) {
    while (place < end && line[place]! >= 0x30 && line[place]! <= 0x3f) place++;
    while (place < end && line[place]! >= 0x20 && line[place]! <= 0x2f) place++;
    return place < end && line[place]! >= 0x40 && line[place]! <= 0x7e ? place + 1 : at;
  }
  if (kind !== 0x5d) return at;
  for (; place < end; place++) {
    if (line[place] === bell) return place + 1;
    if (line[place] === escape) return line[place + 1] === 0x5c ? place + 2 : at;
  }
  return at;
}
