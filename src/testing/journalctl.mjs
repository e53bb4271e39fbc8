#!/usr/bin/env node
/** Stands in for journalctl, as version 252 behaves: reads entries from the file that JOURNAL_FILE names (lines of JSON, in
 *  order), follows it as it grows, and understands what the collector asks for. A line "END" makes it exit, as when
 *  journald is stopped. Writes each start's arguments to JOURNAL_FILE.calls. */
import { appendFileSync, readFileSync } from "node:fs";

const file = process.env.JOURNAL_FILE;
const parameters = process.argv.slice(2);
appendFileSync(`${file}.calls`, `${JSON.stringify(parameters)}\n`);
const option = (name) =>
  parameters.find((parameter) => parameter.startsWith(`--${name}=`))?.slice(name.length + 3);
const [cursor, since] = [option("cursor"), option("since")];
if (cursor !== undefined && since !== undefined) {
  fail("Please specify only one of --since=, --cursor=, and --after-cursor=.");
}
if (cursor !== undefined && !/^s=/.test(cursor)) fail("Failed to seek to cursor: Invalid argument");
const matches = parameters.filter((parameter) => !parameter.startsWith("--"))
  .map((match) => match.split("="));
const wanted = (entry) =>
  matches.every(([name]) =>
    matches.some(([other, value]) => other === name && entry[name] === value)
  );

let printed = 0;
let isFound = cursor === undefined;
for (;;) {
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  // A cursor that is gone leads to the entries after its time.
  const isThere = lines.some((line) => line.includes(`"${cursor}"`));
  for (const line of lines.slice(printed)) {
    printed++;
    if (line === "END") process.exit(0);
    const entry = JSON.parse(line);
    isFound ||= isThere ? entry.__CURSOR === cursor : timeOf(entry.__CURSOR) > timeOf(cursor);
    const isOld = since !== undefined &&
      Number(entry.__REALTIME_TIMESTAMP) < Number(since.slice(1)) * 1_000_000;
    if (isFound && !isOld && wanted(entry)) process.stdout.write(`${line}\n`);
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}

function timeOf(cursor) {
  return Number(/t=(\d+)/.exec(cursor)?.[1]);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
