/** Metadata sets: round trip, order, and bytes that are none. */
import fc from "fast-check";
import t from "tap";
import { decodeMetadata, encodeMetadata, findBadSet } from "./metadata.ts";

const text = fc.string({ unit: "binary", maxLength: 10 }).map((value) => value.toWellFormed());

t.test("decodeMetadata undoes encodeMetadata, names in UTF-8 order", async () => {
  const pairs = fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name });
  fc.assert(fc.property(pairs, (given) => {
    const wanted = given.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const bytes = encodeMetadata(given);
    return fc.stringify(decodeMetadata(bytes, 0, bytes.length)) === fc.stringify(wanted) &&
      findBadSet(Uint32Array.of(bytes.length), bytes) === -1;
  }));
});

t.test("encodeMetadata refuses a name that its length field cannot hold", async (t) => {
  t.equal(encodeMetadata([["n".repeat(65535), "v"]]).length, 65542);
  t.throws(() => encodeMetadata([["n".repeat(65536), "v"]]), RangeError);
});

t.test("findBadSet names the first malformed set", async (t) => {
  const set = encodeMetadata([["a", "b"]]);
  const three = Uint8Array.from([...set, ...set, ...set]);
  const f = (bytes: Uint8Array, ends: number[], want: number) =>
    t.equal(findBadSet(Uint32Array.from(ends), bytes), want);
  f(three, [8, 16, 24], -1);
  f(three, [0, 8, 16, 24], -1);
  f(three, [8, 15, 24], 1);
  f(three, [8, 16, 23], 2);
  f(three, [16, 24], -1);
  f(three, [3, 24], 0);
  const forged = three.slice();
  forged.set([0xff, 0xff, 0xff, 0xff], 10);
  f(forged, [8, 16, 24], 1);
});
