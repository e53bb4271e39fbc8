/** The memory of kernel instances: reservations, growth, and instances that do not disturb each
 *  other. The kernels' results are tested beside their wrappers. */
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { Worker } from "node:worker_threads";
import t from "tap";
import { crc32c, fingerprint } from "./hash.ts";
import { Kernels } from "./kernels.ts";
import { lineLevel } from "./level.ts";
import { buildRows, decodePush } from "./push.ts";
import { BlockScanner } from "./scan.ts";
import { encodePush } from "../testing/pushRequests.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const hashUrl = new URL("./hash.ts", import.meta.url).href;

t.test("reservations do not overlap and keep their bytes while memory grows", (t) => {
  const kernels = new Kernels<unknown>();
  const small = kernels.copyIn(encoder.encode("kept"));
  const smaller = kernels.reserve(0);
  t.ok(smaller >= small + 4);
  t.equal(small % 64, 0);
  t.equal(smaller % 64, 0);
  const before = kernels.memory.byteLength;
  const large = kernels.reserve(10_000_000);
  t.ok(kernels.memory.byteLength >= Math.max(before, large + 10_000_000 + 64));
  kernels.memory.fill(1, large, large + 10_000_000);
  t.equal(decoder.decode(kernels.bytes(small, 4)), "kept");
  kernels.u32(large, 2).set([1, 2]);
  t.same([...kernels.i64(large, 1)], [2n << 32n | 1n]);
  t.end();
});

t.test("reset frees everything, or everything since a mark", (t) => {
  const kernels = new Kernels<unknown>();
  const first = kernels.reserve(100);
  const { mark } = kernels;
  const second = kernels.reserve(100);
  kernels.reset(mark);
  t.equal(kernels.reserve(100), second);
  kernels.reset();
  t.equal(kernels.reserve(100), first);
  t.end();
});

t.test("more than a gigabyte is refused", (t) => {
  const kernels = new Kernels<unknown>();
  t.throws(() => kernels.reserve(1 << 30), /more than its limit of 1073741824/);
  t.ok(kernels.reserve(100) > 0, "and the instance still works");
  t.end();
});

t.test("other kernels may run between decodePush and buildRows, and between searches", (t) => {
  const line = "level=error x";
  const entry = { seconds: 0n, nanos: 0, line: encoder.encode(line), pairs: [] };
  const streams = decodePush(encodePush([{ labels: encoder.encode("{}"), entries: [entry] }]));
  const scanner = new BlockScanner();
  scanner.load(encoder.encode("abc"), Uint32Array.of(1, 3), 0, 2);
  const noise = new Uint8Array(3_000_000).fill(0xee);
  t.equal(crc32c(noise), crc32c(noise));
  t.equal(fingerprint(noise), fingerprint(noise));
  t.equal(lineLevel(noise), lineLevel(encoder.encode("")));
  t.equal(decoder.decode(streams.labelsOf(0)), "{}");
  t.equal(scanner.keepContaining([encoder.encode("c")]), 1);
  const rows = buildRows(Uint8Array.of(1), Uint8Array.of(0), {
    lineBytesMax: 0,
    truncateLines: false,
    timeMin: 0n,
    timeMax: 0n,
    metaBytesMax: 0,
    metaPairsMax: 0,
    detectLevels: true,
    allowMetadata: true,
  });
  t.equal(decoder.decode(rows.lines), line);
  t.match(decoder.decode(rows.meta), /detected_levelerror$/);
  t.same([...scanner.mask], [0, 1]);
  t.end();
});

t.test("the module is found from any working directory and in worker threads", async (t) => {
  const code = `const { crc32c } = await import(${JSON.stringify(hashUrl)});` +
    `const crc = crc32c(new TextEncoder().encode("123456789"));`;
  const printed = execFileSync(
    process.execPath,
    ["--input-type=module", "--eval", `${code} console.log(crc)`],
    { cwd: tmpdir() },
  );
  t.equal(Number(printed.toString()), 0xe3069283);
  const source =
    `import { parentPort } from "node:worker_threads";${code} parentPort.postMessage(crc)`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const crc = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await worker.terminate();
  t.equal(crc, 0xe3069283);
});
