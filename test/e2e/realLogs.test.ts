/** Real logs against the tools everybody trusts: files of this machine are pushed, one stream per file, and then
 *  every line is found again, counts equal `wc -l`, and LogQL filters give line by line what `grep` gives on the
 *  files. TAILRACE_REAL_LOG_BYTES sets how much (default 3 MB; 100000000 for the full run). */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import t from "tap";
import { onServer, type Scenario } from "../../src/testing/onServer.ts";
import type { PushStream } from "../../src/testing/pushClient.ts";
import { copyRealLogs } from "../../src/testing/realLogs.ts";

const bytes = Number(process.env["TAILRACE_REAL_LOG_BYTES"] ?? "3000000");
const directory = mkdtempSync(join(tmpdir(), "tailrace-real-"));
t.teardown(() => rmSync(directory, { recursive: true }));
const logs = copyRealLogs(directory, bytes);
const lineCount = logs.reduce((sum, { lines }) => sum + lines.length, 0);
t.comment(
  `${logs.length} files, ${lineCount} lines, ${
    logs.reduce((sum, log) => sum + log.bytes, 0)
  } bytes`,
);

/** Line n of a file (from 1) has the timestamp `startNs + n * stepNs`, so that an answer tells file and line number. */
const startNs = 1_700_000_000_000_000_000n;
const stepNs = 1_000_000n;
const endNs = startNs + 1_000_000_000_000_000n;

/** LogQL filters beside the grep that means the same. */
const greps: ReadonlyArray<readonly [filter: string, ...grepOptions: string[]]> = [
  ['|= "error"', "-F", "error"],
  ['|= "Error"', "-F", "Error"],
  ['|= "the "', "-F", "the "],
  ['|= "a"', "-F", "a"],
  ['|= "Debian"', "-F", "Debian"],
  ['|= "urgency="', "-F", "urgency="],
  ['|= "no line of any file has this"', "-F", "no line of any file has this"],
  ['|= "(closes: #"', "-F", "(closes: #"],
  ['|= "\\\\"', "-F", "\\"],
  ['|= "\\""', "-F", '"'],
  ['|= "\\t"', "-F", "\t"],
  ['|= "é"', "-F", "é"],
  ['|= "ü" or "ö" or "ä"', "-F", "-e", "ü", "-e", "ö", "-e", "ä"],
  ['|= "fix" or "bug"', "-F", "-e", "fix", "-e", "bug"],
  ['!= "e"', "-v", "-F", "e"],
  ['!= "e" != "a"', "-v", "-F", "-e", "e", "-e", "a"],
  ['!= "fix" or "bug"', "-v", "-F", "-e", "fix", "-e", "bug"],
  ['|~ "^ -- "', "-E", "^ -- "],
  ['|~ "^$"', "-E", "^$"],
  ['!~ "^$"', "-v", "-E", "^$"],
  ['|~ "^\\\\s*$"', "-E", "^[[:space:]]*$"],
  ['|~ "[0-9]{4}-[0-9]{2}-[0-9]{2}"', "-E", "[0-9]{4}-[0-9]{2}-[0-9]{2}"],
  ['|~ "(?i)security"', "-i", "-E", "security"],
  ['|~ "(?i)SEGFAULT|crash|panic"', "-i", "-E", "SEGFAULT|crash|panic"],
  ['|~ "fix(es|ed)?\\\\b"', "-P", "fix(es|ed)?\\b"],
  ['|~ "\\\\d+\\\\.\\\\d+\\\\.\\\\d+"', "-P", "\\d+\\.\\d+\\.\\d+"],
  ['|~ "^[A-Z][a-z]+ .*\\\\.$"', "-E", "^[A-Z][a-z]+ .*\\.$"],
  ['|~ "(foo|bar|baz)[a-z]*ing"', "-E", "(foo|bar|baz)[a-z]*ing"],
  ['|~ "<[^>]+@[^>]+>"', "-E", "<[^>]+@[^>]+>"],
  ['|~ "x{3,}|-{10,}"', "-E", "x{3,}|-{10,}"],
  ['|~ "^.{100,}$"', "-E", "^.{100,}$"],
  ['|~ "^.{0,3}$"', "-E", "^.{0,3}$"],
  ['|~ ".+é.+"', "-E", ".+é.+"],
  ['|~ "[^\\\\x00-\\\\x7f]"', "-P", "[^\\x00-\\x7f]"],
  ['!~ "[a-z]"', "-v", "-E", "[a-z]"],
  ['|~ "[[:upper:]]{4,}"', "-E", "[A-Z]{4,}"],
];

onServer({ "limits_config.max_line_size": "0", "limits_config.discover_log_levels": "false" }, {
  "every line is found again, and every grep gives what grep gives": async (t, scenario) => {
    const half = Math.floor(logs.length / 2);
    await pushFiles(scenario, 0, half);
    await scenario.query.flush();
    await pushFiles(scenario, half, logs.length);
    await checkEveryLine(t, scenario);
    for (const [filter, ...options] of greps) {
      const found = await grepServer(scenario, filter);
      const wanted = grepFiles(options);
      t.ok(
        found.join("\n") === wanted.join("\n"),
        `${filter}: ${wanted.length} lines${difference(found, wanted)}`,
      );
    }
    await checkChain(t, scenario);
  },
});

async function pushFiles({ push, app }: Scenario, from: number, to: number): Promise<void> {
  let streams: PushStream[] = [];
  let streamBytes = 0;
  for (const { name, lines, bytes } of logs.slice(from, to)) {
    // A file of 20 MB in several pushes.
    for (let first = 0; first < lines.length; first += 50_000) {
      streams.push({
        labels: `{app="${app}", filename="${name}"}`,
        entries: lines.slice(first, first + 50_000).map((line, index) => ({
          timestamp: startNs + BigInt(first + index + 1) * stepNs,
          line,
        })),
      });
    }
    streamBytes += bytes;
    if (streamBytes < 1_000_000) continue;
    await push.push(streams);
    [streams, streamBytes] = [[], 0];
  }
  if (streams.length > 0) await push.push(streams);
}

async function checkEveryLine(t: Test, { query, app }: Scenario): Promise<void> {
  const names = logs.map(({ name }) => name);
  const values = await query.values("filename", startNs, endNs);
  t.same(values.toSorted(), names.toSorted(), "every file is a stream");
  const wrong: string[] = [];
  let total = 0;
  for (const { name, lines } of logs) {
    const found = await query.all({
      query: `{app="${app}", filename="${name}"}`,
      start: startNs,
      end: endNs,
      limit: 50_000,
    });
    total += found.length;
    const same = found.length === lines.length &&
      found.every(({ line, timestamp }, index) =>
        line === lines[index] && timestamp === startNs + BigInt(index + 1) * stepNs
      );
    if (!same) wrong.push(`${name}: ${found.length} of ${lines.length} lines`);
  }
  t.same(wrong.slice(0, 10), [], "every line of every file, in order");
  const counted = execFileSync("sh", ["-c", `cat -- * | wc -l`], {
    cwd: directory,
    encoding: "utf8",
  });
  const unfinished = execFileSync(
    "sh",
    ["-c", `for f in *; do tail -c 1 -- "$f" | od -An -c; done | grep -cv '\\\\n' || true`],
    { cwd: directory, encoding: "utf8" },
  );
  t.equal(total, Number(counted) + Number(unfinished), "as many lines as wc -l counts");
}

/** A chain of filters against a pipe of greps. */
async function checkChain(t: Test, scenario: Scenario): Promise<void> {
  const found = await grepServer(scenario, '|= "the" != "a" |~ "[0-9]" !~ "^\\\\s"');
  const wanted = execFileSync(
    "sh",
    [
      "-c",
      "grep -rnF the . | grep -vE '^[^:]*:[0-9]*:.*a' | grep -E '^[^:]*:[0-9]*:.*[0-9]' | " +
      "grep -vE '^[^:]*:[0-9]*:[[:space:]]' || true",
    ],
    { cwd: directory, env: grepEnvironment, encoding: "utf8", maxBuffer: outputBytesMax },
  );
  const lines = linesOfOutput(wanted);
  t.ok(
    found.join("\n") === lines.join("\n"),
    `chain: ${lines.length} lines${difference(found, lines)}`,
  );
}

/** `file:number:line` for each line the server finds, sorted. */
async function grepServer({ query, app }: Scenario, filter: string): Promise<string[]> {
  const found = await query.all({
    query: `{app="${app}"} ${filter}`,
    start: startNs,
    end: endNs,
    limit: 50_000,
  });
  return found.map(({ labels, timestamp, line }) =>
    `${labels["filename"]}:${(timestamp - startNs) / stepNs}:${line}`
  ).sort();
}

const grepEnvironment = { ...process.env, LC_ALL: "C.UTF-8" };
const outputBytesMax = 2_000_000_000;

/** The same from grep. */
function grepFiles(options: ReadonlyArray<string>): string[] {
  try {
    return linesOfOutput(execFileSync("grep", ["-rna", ...options, "."], {
      cwd: directory,
      env: grepEnvironment,
      encoding: "utf8",
      maxBuffer: outputBytesMax,
    }));
  } catch (error) {
    // Exit code 1: no line matches.
    if ((error as { status?: number }).status === 1) return [];
    throw error;
  }
}

function linesOfOutput(output: string): string[] {
  const lines = output.split("\n");
  lines.pop();
  return lines.map((line) => line.replace(/^\.\//, "")).sort();
}

function difference(found: ReadonlyArray<string>, wanted: ReadonlyArray<string>): string {
  if (found.length === wanted.length && found.every((line, index) => line === wanted[index])) {
    return "";
  }
  const [foundSet, wantedSet] = [new Set(found), new Set(wanted)];
  const missing = wanted.find((line) => !foundSet.has(line));
  const extra = found.find((line) => !wantedSet.has(line));
  return `, found ${found.length}; missing ${JSON.stringify(missing)}, extra ${
    JSON.stringify(extra)
  }`;
}
