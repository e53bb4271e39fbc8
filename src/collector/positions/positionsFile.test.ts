/** Positions on disk: saved and read again, also after the file was damaged. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { nodeDisk } from "../../platform/files.ts";
import {
  type PositionsState,
  PositionsUnreadable,
  readPositions,
  readPromtailPositions,
  writePositions,
} from "./positionsFile.ts";

const stateOf = (next: number): PositionsState => ({
  version: 1,
  clients: { "a client": next },
  next,
  positions: [{ id: "journal", cursor: "s=1" }, {
    id: "1-a-0",
    job: "files",
    path: "/var/log/a.log",
    log: "/var/log/a.log",
    device: 1,
    inode: 2,
    headBytes: 3,
    headHash: 4,
    offset: 5,
    checkOffset: 6,
    checkHash: -1,
    readMs: 7,
  }],
});

t.test("the last state saved is read, if it is damaged the one before", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-positions-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const warnings: string[] = [];
  const read = () => readPositions(nodeDisk, directory, (message) => warnings.push(message));
  const path = join(directory, "positions.json");
  t.equal(await read(), undefined, "nothing is there at first");
  await writePositions(nodeDisk, directory, stateOf(1));
  await writePositions(nodeDisk, directory, stateOf(2));
  await writePositions(nodeDisk, directory, stateOf(3));
  t.strictSame(await read(), stateOf(3));
  t.strictSame(warnings, []);
  writeFileSync(path, '{"version":1,"cl');
  t.strictSame(await read(), stateOf(2));
  t.match(warnings[0], "those saved before are used");
  rmSync(path);
  t.strictSame(await read(), stateOf(2), "a crash between two renames");
  writeFileSync(path, new Uint8Array(100));
  writeFileSync(`${path}.old`, "{}");
  await t.rejects(read(), PositionsUnreadable);
});

t.test("Promtail's positions are read; what is no YAML in them is an error, or nothing if it is to be", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tailrace-positions-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const filename = join(directory, "positions.yaml");
  const read = (ignore_invalid_yaml: boolean) =>
    readPromtailPositions(nodeDisk, { filename, ignore_invalid_yaml });
  t.strictSame(await read(false), [], "there is none");
  writeFileSync(filename, 'positions:\n  /var/log/a.log: "123"\n  cursor-journal: s=1\n');
  t.strictSame(await read(false), [
    { key: "/var/log/a.log", value: "123" },
    { key: "cursor-journal", value: "s=1" },
  ]);
  for (const text of ["positions: [", "positions: [a]", "\0\0\0"]) {
    writeFileSync(filename, text);
    await t.rejects(read(false), PositionsUnreadable, JSON.stringify(text));
    t.strictSame(await read(true), []);
  }
});
