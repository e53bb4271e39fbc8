/** Damaged push requests: whatever the bytes, push.ts and its twin either both refuse them or give
 *  the same rows. */
import fc from "fast-check";
import t from "tap";
import { buildRows, decodePush, PushFormatError, type PushLimits } from "./push.ts";
import * as reference from "./reference/push.ts";
import { anyLimits, anyRequest, concat, encodePush, rowsOf } from "../testing/pushRequests.ts";

type Damage = (body: Uint8Array) => Uint8Array;

/** Places are fractions of the body, so that shrinking keeps them inside. */
const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const interestingBytes = fc.oneof(
  fc.constantFrom(0, 1, 2, 8, 0x0a, 0x12, 0x1a, 0x7f, 0x80, 0xff),
  fc.nat(255),
);

const overwrite = fc.tuple(place, interestingBytes).map(([at, byte]): Damage => (body) => {
  const copy = body.slice();
  if (copy.length > 0) copy[Math.floor(at * copy.length)] = byte;
  return copy;
});
const truncate = place.map((at): Damage => (body) => body.slice(0, Math.floor(at * body.length)));
const insert = fc.tuple(place, fc.array(interestingBytes, { minLength: 1, maxLength: 12 }))
  .map(([at, bytes]): Damage => (body) => {
    const middle = Math.floor(at * body.length);
    return concat([body.subarray(0, middle), Uint8Array.from(bytes), body.subarray(middle)]);
  });
const remove = fc.tuple(place, fc.nat(8)).map(([at, count]): Damage => (body) => {
  const start = Math.floor(at * body.length);
  return concat([body.subarray(0, start), body.subarray(start + count)]);
});
const repeat = fc.tuple(place, place).map(([from, to]): Damage => (body) => {
  const [start, end] = [from, to].sort((a, b) => a - b).map((at) => Math.floor(at * body.length));
  return concat([body.subarray(0, end), body.subarray(start)]);
});
const damages = fc.array(fc.oneof(overwrite, overwrite, truncate, insert, remove, repeat), {
  minLength: 1,
  maxLength: 6,
});

/** "refused", or all rows and rejects. */
function outcome(body: Uint8Array, limits: PushLimits) {
  try {
    const { streamCount } = decodePush(body);
    const take = new Uint8Array(streamCount).fill(1);
    const { rows, rejects } = rowsOf(buildRows(take, new Uint8Array(streamCount), limits));
    return { rows, rejects };
  } catch (error) {
    if (!(error instanceof PushFormatError)) throw error;
    if (error.byteOffset < 0 || error.byteOffset > body.length) throw error;
    return "refused";
  }
}

function twinOutcome(body: Uint8Array, limits: PushLimits) {
  const streams = reference.decodePush(body);
  if (streams === undefined) return "refused";
  return reference.buildRows(streams, streams.map(() => true), streams.map(() => ""), limits);
}

t.test("damaged requests fare as with the twin", (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(anyRequest, damages, anyLimits, (request, list, limits) => {
      const body = list.reduce((bytes, damage) => damage(bytes), encodePush(request));
      const want = twinOutcome(body, limits);
      t.same(outcome(body, limits), want);
      if (want !== "refused") accepted++;
    }),
    { numRuns: 1500 },
  );
  t.ok(accepted > 20, `${accepted} damaged requests were still requests`);
  t.end();
});

t.test("any bytes fare as with the twin", (t) => {
  fc.assert(
    fc.property(fc.array(interestingBytes, { maxLength: 64 }), anyLimits, (bytes, limits) => {
      const body = Uint8Array.from(bytes);
      t.same(outcome(body, limits), twinOutcome(body, limits));
    }),
    { numRuns: 5000 },
  );
  t.end();
});
