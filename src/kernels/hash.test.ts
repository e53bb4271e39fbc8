/** hash.ts against published vectors and, for any length and split, against the plain twin. */
import fc from "fast-check";
import t from "tap";
import { crc32c, fingerprint } from "./hash.ts";
import * as reference from "./reference/hash.ts";

const encoder = new TextEncoder();

t.test("crc32c gives the values of RFC 3720 appendix B.4", (t) => {
  const check = (bytes: Uint8Array, want: number, name: string) => {
    t.equal(crc32c(bytes), want, name);
    t.equal(reference.crc32c(bytes), want, `${name}, twin`);
  };
  check(new Uint8Array(0), 0, "nothing");
  check(encoder.encode("123456789"), 0xe3069283, "digits");
  check(new Uint8Array(32), 0x8a9136aa, "zeros");
  check(new Uint8Array(32).fill(255), 0x62a8ab43, "ones");
  check(Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e, "ascending");
  check(Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113fdb5c, "descending");
  t.end();
});

t.test("fingerprint gives xxHash64's published values", (t) => {
  const check = (text: string, want: bigint) => {
    t.equal(fingerprint(encoder.encode(text)), want, text);
    t.equal(reference.fingerprint(encoder.encode(text)), want, `${text}, twin`);
  };
  check("", 0xef46db3751d8e999n);
  check("a", 0xd24ec4f1a98c6e5bn);
  check("abc", 0x44bc2cf5ad770999n);
  check("The quick brown fox jumps over the lazy dog", 0x0b242d361fda71bcn);
  t.end();
});

t.test("crc32c and fingerprint equal their twins", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000, size: "max" }), fc.nat(2000), (bytes, at) => {
      const whole = crc32c(bytes);
      t.equal(whole, reference.crc32c(bytes));
      t.equal(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at))), whole);
      t.equal(fingerprint(bytes), reference.fingerprint(bytes));
    }),
  );
  t.end();
});

t.test("inputs longer than the buffer are hashed in pieces", (t) => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, index) => index * index >>> 3);
  for (const length of [65535, 65536, 65537, 131072, 131103, 200_000]) {
    const part = bytes.subarray(0, length);
    t.equal(crc32c(part), reference.crc32c(part), `crc of ${length}`);
    t.equal(fingerprint(part), reference.fingerprint(part), `fingerprint of ${length}`);
  }
  t.end();
});
