/** Compressed files while their names move: one is what was opened, whatever its name leads to meanwhile. */
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import type { FilePosition } from "../positions/position.ts";
import { LabelSet } from "../stages/labelSet.ts";
import type { StagePipeline } from "../stages/stage.ts";
import { CompressedFiles } from "./CompressedFiles.ts";
import { FilePositions } from "./FilePositions.ts";
import { hashBytes, headBytesMax } from "./fingerprint.ts";
import type { LineColumns } from "./lineSink.ts";

const nowMs = 1_700_000_000_000;
const pipeline: StagePipeline = {
  process: () => {},
  tick: () => {},
  flush: () => {},
  flushOrigin: () => {},
  follow: () => {},
  joinsLines: false,
  eachHeld: () => {},
  pausedUntilMs: 0,
};

/** A directory with a compressed file of `content`, and what is read of it while `onHead` is called half way. */
async function readWhile(
  t: Test,
  content: string,
  position: FilePosition | undefined,
  onHead: (path: string) => void,
): Promise<{ readonly lines: ReadonlyArray<string>; readonly warnings: ReadonlyArray<string> }> {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-compressed-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "a.log.1.gz");
  write(path, gzipSync(content));
  const lines: string[] = [];
  const warnings: string[] = [];
  const files = new CompressedFiles({
    sink: {
      lines: ({ bytes, starts, ends, count }: LineColumns) => {
        for (let index = 0; index < count; index++) {
          lines.push(new TextDecoder().decode(bytes.subarray(starts[index], ends[index])));
        }
      },
      moved: () => {},
    },
    limits: { bytesMax: 1000, longLines: "split" },
    positions: new FilePositions(
      position === undefined
        ? []
        : [{ ...position, path: join(directory, "a.log.1"), log: join(directory, "a.log") }],
    ),
    nowMs: () => nowMs,
    warn: (message) => warnings.push(message),
    isReading: () => {
      onHead(path);
      return false;
    },
  });
  const log = join(directory, "a.log");
  const stream = { pipeline, labels: LabelSet.empty };
  files.offer({ job: "job", path, log, stream, format: "gz", delayMs: 1000 });
  await files.pass(() => Promise.resolve(), new AbortController().signal);
  return { lines, warnings };
}

/** Long enough ago that it may be read. */
function write(path: string, bytes: Uint8Array): void {
  writeFileSync(path, bytes);
  utimesSync(path, nowMs / 1000 - 10, nowMs / 1000 - 10);
}

function linesOf(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`);
}

/** The position of a file of `content` that has been read up to `offset`. */
function positionAt(content: string, offset: number): FilePosition {
  const bytes = new TextEncoder().encode(content);
  const headBytes = Math.min(headBytesMax, offset);
  return {
    id: "1-a-0",
    job: "job",
    path: "",
    log: "",
    device: 1,
    inode: 2,
    headBytes,
    headHash: hashBytes(bytes, 0, headBytes),
    offset,
    checkOffset: offset,
    checkHash: hashBytes(bytes, Math.max(0, offset - 64), offset),
    readMs: nowMs - 1000,
  };
}

/** As rotation shifts names: the file is a.log.2.gz from now on, and a newer one has its name. */
function shift(path: string): void {
  renameSync(path, path.replace(".1.gz", ".2.gz"));
  write(path, gzipSync(`${linesOf("newer", 100).join("\n")}\n`));
}

const old = linesOf("old", 100);
const content = `${old.join("\n")}\n`;

t.test("a file is read once, from where it was read up to", async (t) => {
  t.strictSame(await readWhile(t, content, undefined, () => {}), { lines: old, warnings: [] });
  const half = positionAt(content, `${old.slice(0, 50).join("\n")}\n`.length);
  const rest = { lines: old.slice(50), warnings: [] };
  t.strictSame(await readWhile(t, content, half, () => {}), rest);
  const whole = positionAt(content, content.length);
  t.strictSame(await readWhile(t, content, whole, () => {}), { lines: [], warnings: [] });
});

t.test("a newer file that gets the name meanwhile is not taken for it", async (t) => {
  t.strictSame(await readWhile(t, content, undefined, shift), { lines: old, warnings: [] });
  const half = positionAt(content, `${old.slice(0, 50).join("\n")}\n`.length);
  t.strictSame(await readWhile(t, content, half, shift), { lines: old.slice(50), warnings: [] });
  const whole = positionAt(content, content.length);
  t.strictSame(await readWhile(t, content, whole, shift), { lines: [], warnings: [] });
});

t.test("a file that is deleted meanwhile is read to its end", async (t) => {
  const remove = (path: string) => rmSync(path);
  t.strictSame(await readWhile(t, content, undefined, remove), { lines: old, warnings: [] });
});

t.test("a damaged file is read as far as it goes, and said", async (t) => {
  const bytes = gzipSync(content);
  const damage = (path: string) => write(path, bytes.subarray(0, bytes.length - 20));
  const { warnings } = await readWhile(t, content, undefined, damage);
  t.equal(warnings.length, 1);
  t.match(warnings[0], /Cannot read on in the compressed file .*a\.log\.1\.gz/);
});
