/** The corpus against a second reading of its bytes: what its facts claim is what an independent decoder finds in
 *  the bodies. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import snappy from "snappy";
import t from "tap";
import {
  corpusApps,
  type CorpusFacts,
  type CorpusPush,
  corpusPushes,
  readCorpus,
  writeCorpus,
} from "./corpus.ts";

interface DecodedLine {
  readonly labels: string;
  readonly timestamp: bigint;
  readonly line: string;
}

t.test("facts agree with the bodies", async (t) => {
  const { pushes, facts } = generate({ scale: 0.02 });
  const lines = pushes.flatMap((push) => decode(push.body));
  t.equal(lines.length, facts.lineCount);
  t.equal(pushes.length, facts.pushCount);
  t.equal(lines.reduce((sum, { line }) => sum + Buffer.byteLength(line), 0), facts.lineBytes);
  t.equal(new Set(lines.map(({ labels }) => labels)).size, facts.streamCount);
  t.equal(facts.streamCount, 100);
  t.equal(lines.filter(({ line }) => line.includes(facts.needle)).length, 1);
  for (const [text, count] of Object.entries(facts.containing)) {
    t.equal(lines.filter(({ line }) => line.includes(text)).length, count, text);
    t.ok(count > 0, `${text} occurs`);
  }
  for (const { app } of corpusApps) {
    const ofApp = lines.filter(({ labels }) => labels.includes(`app="${app}"`));
    t.equal(ofApp.length, facts.linesByApp[app], app);
  }
  for (const { timestamp } of lines) {
    if (timestamp < BigInt(facts.startNs) || timestamp >= BigInt(facts.endNs)) {
      t.fail(`timestamp ${timestamp} is outside the range of the facts`);
    }
  }
  t.ok(lines.some(({ line }) => line.startsWith("\tat ")), "has stack traces");
  t.ok(lines.some(({ line }) => line.includes("José")), "has text beyond ASCII");
});

t.test("timestamps of a stream never go back", async (t) => {
  const newest = new Map<string, bigint>();
  let backwards = 0;
  for (const push of generate({ scale: 0.01 }).pushes) {
    for (const { labels, timestamp } of decode(push.body)) {
      if (timestamp < (newest.get(labels) ?? 0n)) backwards++;
      newest.set(labels, timestamp);
    }
  }
  t.equal(backwards, 0);
});

t.test("the same seed gives the same bytes, another seed others", async (t) => {
  const bytes = (seed: number) =>
    Buffer.concat(generate({ scale: 0.005, seed }).pushes.map(({ body }) => body));
  t.ok(bytes(7).equals(bytes(7)));
  t.notOk(bytes(7).equals(bytes(8)));
});

t.test("the file gives back what was generated", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-corpus-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "nested", "corpus.bin");
  const written = await writeCorpus(path, { scale: 0.005 });
  const { pushes, facts } = generate({ scale: 0.005 });
  t.same(written, facts);
  let index = 0;
  for await (const push of readCorpus(path)) {
    const wanted = pushes[index++] as CorpusPush;
    t.ok(Buffer.from(wanted.body).equals(push.body));
    t.equal(push.lineCount, wanted.lineCount);
    t.equal(push.lineBytes, wanted.lineBytes);
  }
  t.equal(index, pushes.length);
});

function generate(
  options: { scale: number; seed?: number },
): { pushes: CorpusPush[]; facts: CorpusFacts } {
  const pushes: CorpusPush[] = [];
  const generator = corpusPushes(options);
  for (;;) {
    const step = generator.next();
    if (step.done === true) return { pushes, facts: step.value };
    pushes.push(step.value);
  }
}

/** Reads the fields that the generator writes, and no others. */
function decode(body: Uint8Array): DecodedLine[] {
  const bytes = snappy.uncompressSync(Buffer.from(body)) as Buffer;
  const lines: DecodedLine[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  const open = (tag: number) => {
    if (bytes[at++] !== tag) throw new Error(`Wanted tag ${tag} at ${at - 1}`);
    const length = varint();
    return at + length;
  };
  const text = (tag: number) => {
    const end = open(tag);
    const value = bytes.toString("utf8", at, end);
    at = end;
    return value;
  };
  while (at < bytes.length) {
    const streamEnd = open(0x0a);
    const labels = text(0x0a);
    while (at < streamEnd) {
      open(0x12);
      open(0x0a);
      at++;
      const seconds = varint();
      at++;
      const nanos = varint();
      lines.push({
        labels,
        timestamp: BigInt(seconds) * 1_000_000_000n + BigInt(nanos),
        line: text(0x12),
      });
    }
  }
  return lines;
}
