/** Frames that the lz4 program made, and the same damaged. */
import { inflateRawSync } from "node:zlib";
import t from "tap";
import { randomFrom } from "../testing/random.ts";
import { decompressLz4Frames, Lz4Invalid, Lz4TooLarge } from "./lz4.ts";
import { xxHash32 } from "./xxHash32.ts";

const numbers = Array.from({ length: 40 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 0).join(" ");
const lines = Array.from({ length: 6000 }, (_, i) => `line ${i % 7} of what repeats\n`).join("");

/** Flags, what went in, and what came out, here deflated. */
const frames = [
  ["", "", "Y1HylUhxWM7AwMDAGnuGCQA="],
  ["a block as it is", "abc", "Y1HylUhxWM7MwNCQmJTMwMDA8D/4ohEA"],
  [
    "-B4 --content-size",
    numbers,
    "HdE9LoYBFEThV6KyAuUNvdyZub/R2IB9KKxFr9aSWIKlaHVfotQIZwVPcs6v7i8f797Ojv8eXs+O4/TFyghlFwwO" +
    "rQdZpqqRdqeNzh6fSJqm2bVokwcarB5DODBAyMIzC7UexkD6pGqtOzI1ClNwdjY3DT0TOV5uiF5WMo3jVJFTBhRG" +
    "3gnToFiVoBGdrdhuSyVdETRhtrR0GTIW3lVjQVeGgmvM0p9xw5aMceXa9/GxKNANq9LT8Z7GzUl5+sXx6ZwZwCDf" +
    "zp/jdG3aCqxcbRRVhXRajcDdapPUWdkcQ227bo7TrWWls3KMDV9NYA3eHl4zYWrGBCvS6BMCALcIdW92mnyHSKn+" +
    "pp0/v1z8Ag==",
  ],
  [
    "-9 -B4 -BD -BX",
    lines,
    "Y1HylQhxWOfEyMDwkSMnMy9VwUAhP02hPCOxRKEotSA1saSYS5xB3lCcgVneCEQYgwgTEGEqzsAsZybOwL+Q4f8I" +
    "B24B4GBbZ3FtJhcjw2iI/P//IgCcfmaqWmWrMhAKEeEAcDr7pLdmGQMDA4NsZMANAA==",
  ],
  [
    "-9 -B5 --no-frame-crc --content-size",
    lines,
    "Y1HylcgIEJBmYgCB6DgmBoaPHDmZeakKBgr5aQrlGYklCkWpBamJJcVc4gzyhuIMzPJGIMIYRJiACFNxBmY5M3EG" +
    "/oUM/0fBKMABigLAiQiUzAA=",
  ],
  [
    "-9 -B4",
    lines,
    "Y1HylUhxWO7EyMDwkSMnMy9VwUAhP02hPCOxRKEotSA1saSYS5xB3lCcgVneCEQYgwgTEGEqzsAsZybOwL+Q4f8I" +
    "B24B4GBzZmRg+M+BGnjgMDVUyE8TZ2DAFoLyZqBgNBgNxv///1sEgMMthoGB4RsHaujBA1WcglDMDgAbysDAwCAb" +
    "GXADAA==",
  ],
].map(([flags, content, deflated]) => ({
  flags: flags!,
  content: content!,
  frame: inflateRawSync(Buffer.from(deflated!, "base64")),
}));

t.test("decompressLz4Frames reads what lz4 wrote", (t) => {
  for (const { flags, content, frame } of frames) {
    t.equal(Buffer.from(decompressLz4Frames(frame, content.length)).toString(), content, flags);
  }
  const skipped = Buffer.from("5a2a4d1803000000ffffff", "hex");
  const all = Buffer.concat(frames.flatMap(({ frame }) => [skipped, frame]));
  const contents = frames.map(({ content }) => content).join("");
  t.equal(Buffer.from(decompressLz4Frames(all, 1_000_000)).toString(), contents, "all in a row");
  t.equal(decompressLz4Frames(new Uint8Array(), 10).length, 0, "nothing is nothing");
  t.end();
});

t.test("it ends at its limit", (t) => {
  for (const { content, frame } of frames) {
    if (content === "") continue;
    t.throws(() => decompressLz4Frames(frame, content.length - 1), Lz4TooLarge);
  }
  t.end();
});

t.test("damaged frames are refused, whatever is wrong", (t) => {
  const random = randomFrom("lz4");
  let refused = 0;
  for (const { flags, content, frame } of frames) {
    for (let length = 1; length < frame.length; length++) {
      t.throws(() => decompressLz4Frames(frame.subarray(0, length), 200_000), Lz4Invalid);
    }
    for (let round = 0; round < 500; round++) {
      const damaged = Buffer.from(frame);
      damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
      try {
        const found = Buffer.from(decompressLz4Frames(damaged, 200_000)).toString();
        // A flipped bit that no checksum covers may be one that means nothing.
        if (!flags.includes("no-frame-crc") && found !== content) t.fail("wrong content");
      } catch (error) {
        if (!(error instanceof Lz4Invalid) && !(error instanceof Lz4TooLarge)) throw error;
        refused++;
      }
    }
  }
  t.ok(refused > 2000);
  t.end();
});

// Of the specification's sanity checks.
t.test("xxHash32", (t) => {
  t.equal(xxHash32(new Uint8Array()), 0x02cc5d05);
  t.equal(xxHash32(Buffer.from("a")), 0x550d7456);
  t.equal(xxHash32(Buffer.from("abc")), 0x32d153ff);
  t.equal(xxHash32(Buffer.from("Nobody inspects the spammish repetition")), 0xe2293b2f);
  t.end();
});
