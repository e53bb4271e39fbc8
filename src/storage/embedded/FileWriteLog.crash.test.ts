/** Processes that append are killed at random moments, on both runtimes and in turns on one directory: every acknowledged record
 *  must be there once, at its offset, whole. That a killed process leaves no lock behind is part of it. What power cuts can do
 *  and kills cannot is simulated in FileWriteLog.test.ts. */
import { Effect, Layer, Logger } from "effect";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { randomFrom, seedFrom } from "../../testing/random.ts";
import { WriteLog } from "../WriteLog.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { fileWriteLogLayer } from "./FileWriteLog.ts";

t.setTimeout(0);

const root = fileURLToPath(new URL("../../../", import.meta.url));
const child = fileURLToPath(new URL("../../testing/writeLogChild.ts", import.meta.url));
const runtimes = {
  node: [join(root, "node_modules/.bin/node"), child],
  deno: [join(root, "node_modules/.bin/deno"), "run", "--allow-all", child],
};

/** What a child printed until it ended, and its exit code. `onReady` may kill it. */
function run(
  runtime: keyof typeof runtimes,
  args: ReadonlyArray<string>,
  onReady: (kill: () => void) => void,
): Promise<{ readonly out: string; readonly err: string; readonly code: number | null }> {
  const [command = "", ...rest] = runtimes[runtime];
  const process = spawn(command, [...rest, ...args], { cwd: root });
  let [out, err] = ["", ""];
  process.stdout.on("data", (data) => {
    const isFirst = out === "";
    out += data;
    if (isFirst) onReady(() => process.kill("SIGKILL"));
  });
  process.stderr.on("data", (data) => err += data);
  return new Promise((resolve) => process.on("close", (code) => resolve({ out, err, code })));
}

/** All records of both partitions, read by this process. */
function readAll(directory: string): Promise<ReadonlyArray<ReadonlyMap<number, string>>> {
  const layer = fileWriteLogLayer().pipe(
    Layer.provide(DataDirectory.layer(directory)),
    Layer.provide(Logger.layer([])),
  );
  return Effect.runPromise(
    Effect.gen(function* () {
      const log = yield* WriteLog;
      const partitions = [];
      for (const partition of [0, 1]) {
        const records = new Map<number, string>();
        let offset = 1;
        for (;;) {
          const found = yield* log.read(partition, offset, 1_000_000);
          if (found.length === 0) break;
          for (const record of found) {
            if (record.offset !== offset++) throw new Error(`a gap before ${record.offset}`);
            records.set(record.offset, Buffer.from(record.bytes).toString());
          }
        }
        partitions.push(records);
      }
      return partitions;
    }).pipe(Effect.provide(layer), Effect.scoped),
  );
}

t.test("every acknowledged record survives kills", async (t) => {
  const seed = seedFrom("TAILRACE_TEST_SEED");
  t.comment(`TAILRACE_TEST_SEED=${seed}`);
  const random = randomFrom(seed);
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-crash-"));
  const acknowledged = [new Map<number, string>(), new Map<number, string>()];
  for (let round = 0; round < 16; round++) {
    const runtime = round % 2 === 0 ? "node" : "deno";
    const delayMs = random.below(150);
    const { out, err } = await run(runtime, [directory, String(round)], (kill) => {
      setTimeout(kill, delayMs);
    });
    t.match(out, /^ready\n/, `round ${round}: ${runtime} opened the log ${err}`);
    // The last line may have been cut short by the kill.
    for (const line of out.slice(0, out.lastIndexOf("\n")).split("\n").slice(1)) {
      const [, partition, offset, text = ""] = line.split(" ");
      const known = acknowledged[Number(partition)];
      if (known === undefined || known.has(Number(offset))) {
        t.fail(`"${line}" is acknowledged twice`);
      }
      known?.set(Number(offset), text);
    }
    const stored = await readAll(directory);
    for (const [partition, records] of stored.entries()) {
      const texts = [...records.values()].map((record) => record.split(" ")[0]);
      t.equal(new Set(texts).size, texts.length, "no record is stored twice");
      for (const [offset, text] of acknowledged[partition] ?? []) {
        const found = records.get(offset) ?? "nothing";
        const count = Number(text.split("-").at(-1));
        const whole = `${text} ${"x".repeat(count * 97 % 5000)}`;
        if (found !== whole) t.fail(`offset ${offset}: ${found.slice(0, 40)}, not ${text}`);
      }
    }
  }
  const total = acknowledged.reduce((sum, partition) => sum + partition.size, 0);
  t.ok(total > 100, `${total} acknowledged records`);
  fs.rmSync(directory, { recursive: true });
});

t.test("a second process of either runtime is refused and told who has the directory", async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-crash-"));
  for (const owner of ["node", "deno"] as const) {
    const refusals: Promise<{ readonly err: string; readonly code: number | null }>[] = [];
    await run(owner, [directory, "owner"], (kill) => {
      refusals.push(run("node", [directory, "second"], () => {}));
      refusals.push(run("deno", [directory, "second"], () => {}));
      void Promise.all(refusals).finally(kill);
    });
    for (const { err, code } of await Promise.all(refusals)) {
      t.match(
        err,
        /^Cannot use the data directory ".*": process \d+ is using it\./,
        `${owner} has it`,
      );
      t.equal(code, 1);
    }
  }
  fs.rmSync(directory, { recursive: true });
});
