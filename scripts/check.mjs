/** The checks that need no running code: format, lint, types of the server and of the page. Owns what they are and how they
 *  are called; test/check.test.ts runs them with the tests. Usage: node scripts/check.mjs [name...]; all run at once, and
 *  the exit code is 1 if one fails. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const checks = [
  { name: "format", command: ["deno", "fmt", "--check"] },
  { name: "lint", command: ["deno", "lint"] },
  { name: "types", command: ["tsc", "--noEmit", "-p", "."] },
  ...(existsSync(join(root, "ui", "tsconfig.json"))
    ? [{ name: "page", command: ["tsc", "--noEmit", "-p", "ui"] }]
    : []),
];

/** Runs one check; `output` is all that it printed. */
function runCheck({ command }) {
  const [program, ...programArguments] = command;
  const bin = join(root, "node_modules", ".bin");
  // tsc starts with `env node`; ours comes first on the path.
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, NO_COLOR: "1" };
  delete env.NODE_OPTIONS;
  const child = spawn(join(bin, program), programArguments, { cwd: root, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (part) => output += part);
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ passed: code === 0, output }));
  });
}

const chosen = process.argv.slice(2);
const unknown = chosen.find((name) => !checks.some((check) => check.name === name));
if (unknown !== undefined) {
  const names = checks.map((check) => check.name).join(", ");
  console.error(`There is no check "${unknown}": choose from ${names}`);
  process.exit(2);
}
await Promise.all(
  checks.filter(({ name }) => chosen.length === 0 || chosen.includes(name)).map(async (check) => {
    const { passed, output } = await runCheck(check);
    if (!passed) process.exitCode = 1;
    console.log(`${passed ? "ok" : "FAILED"}: ${check.command.join(" ")}\n${output}`.trimEnd());
  }),
);
