/** Speed of the kernels on this runtime: GB of input per wall and per CPU second, best of several
 *  rounds. Run it with both node and deno; it needs a few seconds and 100 MB. Inputs come from the
 *  benchmark corpus, so they look like logs. */
import process from "node:process";
import snappy from "snappy";
import { crc32c, fingerprint } from "../src/kernels/hash.ts";
import { buildRows, decodePush, type PushLimits } from "../src/kernels/push.ts";
import { BlockScanner } from "../src/kernels/scan.ts";
import { corpusPushes } from "../src/testing/corpus.ts";

const roundSecondsMin = 0.05;
const rounds = 8;
const encoder = new TextEncoder();

/** Repeats `run`, which processes `bytes`, and prints the best round. */
function measure(name: string, bytes: number, run: () => void, unitCount = 0, unit = ""): void {
  run();
  let cpuBest = Infinity;
  let wallBest = Infinity;
  let repeats = 1;
  for (let round = 0; round < rounds;) {
    const cpu = process.cpuUsage();
    const wall = performance.now();
    for (let repeat = 0; repeat < repeats; repeat++) run();
    const wallSeconds = (performance.now() - wall) / 1000;
    const used = process.cpuUsage(cpu);
    if (wallSeconds < roundSecondsMin) {
      repeats *= 2;
      continue;
    }
    cpuBest = Math.min(cpuBest, (used.user + used.system) / 1e6 / repeats);
    wallBest = Math.min(wallBest, wallSeconds / repeats);
    round++;
  }
  const rate = (seconds: number) => (bytes / seconds / 1e9).toFixed(2).padStart(7);
  const perGigabyte = (cpuBest / bytes * 1e9).toFixed(3).padStart(7);
  const each = unitCount === 0 ? "" : `${(cpuBest / unitCount * 1e9).toFixed(0)} ns per ${unit}`;
  console.log(`${name.padEnd(44)}${rate(wallBest)} GB/s ${perGigabyte} CPU s/GB  ${each}`);
}

const limits: PushLimits = {
  lineBytesMax: 262144,
  truncateLines: false,
  timeMin: 0n,
  timeMax: 2n ** 63n - 1n,
  metaBytesMax: 65536,
  metaPairsMax: 128,
  detectLevels: false,
  allowMetadata: true,
};

function benchHash(): void {
  for (const bytes of [16, 100, 4096, 1 << 20]) {
    const input = Uint8Array.from({ length: bytes }, (_, index) => index * 7);
    const calls = Math.ceil(100_000 / bytes);
    const repeat = (run: (input: Uint8Array) => unknown) => () => {
      for (let call = 0; call < calls; call++) run(input);
    };
    measure(`crc32c, ${bytes} bytes`, bytes * calls, repeat(crc32c), calls, "call");
    measure(`fingerprint, ${bytes} bytes`, bytes * calls, repeat(fingerprint), calls, "call");
  }
}

/** Line bytes count, so that figures compare with those of the whole server. */
function benchPush(bodies: ReadonlyArray<Uint8Array>, lineBytes: number, lineCount: number): void {
  const decode = (detectLevels: boolean, build: boolean) => () => {
    for (const body of bodies) {
      const { streamCount } = decodePush(body);
      if (!build) continue;
      const take = new Uint8Array(streamCount).fill(1);
      buildRows(take, new Uint8Array(streamCount), { ...limits, detectLevels });
    }
  };
  measure("decodePush", lineBytes, decode(false, false), lineCount, "line");
  measure("decodePush, buildRows", lineBytes, decode(false, true), lineCount, "line");
  measure("decodePush, buildRows, levels", lineBytes, decode(true, true), lineCount, "line");
}

function benchScan(body: Uint8Array): void {
  const { streamCount } = decodePush(body);
  const take = new Uint8Array(streamCount).fill(1);
  const rows = buildRows(take, new Uint8Array(streamCount), limits);
  const lines = rows.lines.slice();
  const lineEnds = rows.lineEnds.slice();
  const rowCount = lineEnds.length;
  const scanner = new BlockScanner();
  const load = () => scanner.load(lines, lineEnds, 0, rowCount);
  measure("BlockScanner.load", lines.length, load, rowCount, "row");
  const search = (name: string, texts: string[], fold = false) => {
    const encoded = texts.map((text) => encoder.encode(text));
    const full = new Uint8Array(rowCount).fill(1);
    const mask = new Uint8Array(rowCount);
    measure(
      name,
      lines.length,
      () => {
        mask.set(full);
        scanner.keepContaining(encoded, { mask, fold });
      },
      rowCount,
      "row",
    );
    const found = mask.reduce((sum, bit) => sum + bit, 0);
    console.log(`${" ".repeat(46)}${(found / rowCount * 100).toFixed(1)} % of rows`);
  };
  load();
  search("keep, two bytes no line has", ["\u0001\u0002"]);
  search("keep, absent word", ["transmogrification"]);
  search("keep, absent trace id", ["c0ffee00c0ffee00c0ffee00c0ffee00"]);
  search("keep, error", ["error"]);
  search("keep, error ignoring case", ["error"], true);
  search("keep, absent word ignoring case", ["deadlock victim"], true);
  search("keep, a letter", ["e"]);
  search("keep, one of three texts", ["timeout", "refused", "deadlock"]);
  const odd = Uint8Array.from({ length: rowCount }, (_, row) => Number(row % 100 === 0));
  const mask = new Uint8Array(rowCount);
  const text = [encoder.encode("transmogrification")];
  measure(
    "keep, absent word, a row in a hundred",
    lines.length,
    () => {
      mask.set(odd);
      scanner.keepContaining(text, { mask });
    },
    rowCount,
    "row",
  );
}

const bodies: Uint8Array[] = [];
let lineBytes = 0;
let lineCount = 0;
for (const push of corpusPushes({ scale: 0.03 })) {
  bodies.push(new Uint8Array(snappy.uncompressSync(Buffer.from(push.body)) as Buffer));
  lineBytes += push.lineBytes;
  lineCount += push.lineCount;
}
console.log(`${(lineBytes / 1e6).toFixed(1)} MB of lines in ${bodies.length} pushes`);
benchHash();
benchPush(bodies, lineBytes, lineCount);
benchScan(bodies[0]!);
