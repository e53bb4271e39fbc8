#!/usr/bin/env node
/** Starts src/main.ts on the right runtime: Deno with the permissions its work needs (or Node, TAILRACE_RUNTIME=node),
 *  both from node_modules. Owns the sandbox and the passing on of signals and the exit code; main.ts owns the commands.
 *  Runs on Node 20, from any directory; and on Deno in the image, where there is nothing else. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const commandLine = process.argv.slice(2);
const command = commandLine.find((argument) => !argument.startsWith("-"));
const runtime = process.env.TAILRACE_RUNTIME || "deno";
const isImage = "Deno" in globalThis;

/** Commands that work on the data directory of the configuration. */
const usesData = new Set(["serve", "rebuild-index"]);

if (runtime !== "deno" && runtime !== "node") {
  fail(`TAILRACE_RUNTIME is "${runtime}": must be deno or node`);
}
if (runtime === "node" && isImage) fail("TAILRACE_RUNTIME is node: the image has Deno alone");
const program = isImage ? process.execPath : join(root, "node_modules", ".bin", runtime);
if (!existsSync(program) || !existsSync(join(root, "build", "kernels.wasm"))) {
  const { prepare } = await import("../scripts/prepare.mjs");
  await prepare().catch((error) => fail(error.message));
}
const options = runtime === "deno"
  ? denoOptions()
  // For shared memory, which must be asked to be freed (src/platform/externalMemory.ts).
  : ["--disable-warning=ExperimentalWarning", "--expose-gc"];
const child = spawn(program, [...options, join(root, "src", "main.ts"), ...commandLine], {
  stdio: "inherit",
  env: childEnvironment(),
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  // A terminal sends SIGINT to the whole foreground group, so the child has it already.
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) passOn(signal);
  });
}
child.on("error", (error) => fail(`${program} does not start: ${error.message}`));
child.on("exit", (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
});

/** Not child.kill(), after which Deno says that the signal ended the child, however it did. */
function passOn(signal) {
  try {
    process.kill(child.pid, signal);
  } catch {
    // It has ended already.
  }
}

function denoOptions() {
  const given = process.env.TAILRACE_DENO_FLAGS;
  if (given) return ["run", ...given.split(/\s+/).filter((flag) => flag !== "")];
  const options = denoRun();
  if (command === "collect") return [...options, ...collectorPermissions()];
  if (!usesData.has(command)) {
    // Client commands read the files they are given and connect where they are told to.
    const client = ["--allow-ffi", "--allow-env", "--allow-sys", "--allow-read", "--allow-net"];
    return [...options, ...client];
  }
  const { listen, connects, readsFiles, dataDirectory, configFile } = serverPlan();
  const reads = [
    ...["src", "node_modules", "build", "ui/dist", "package.json"].map((path) => join(root, path)),
    dataDirectory,
    ...readsFiles,
    ...(configFile === undefined ? [] : [configFile]),
  ];
  return [
    ...options,
    // Every variable, of which it gets only those of childEnvironment.
    "--allow-env",
    "--allow-sys=cpus,hostname",
    `--allow-read=${reads.map(escapeComma).join(",")}`,
    `--allow-write=${escapeComma(dataDirectory)}`,
    ...netOptions(command === "serve" ? [listen, ...connects] : connects),
  ];
}

/** Everything but the permissions. */
function denoRun() {
  return [
    "run",
    "--no-prompt",
    "--quiet",
    `--config=${join(root, "deno.json")}`,
    "--no-lock",
    "--v8-flags=--expose-gc",
  ];
}

/** The collector reads files wherever they are; what it writes, runs and talks to is what its configuration says. */
function collectorPermissions() {
  const reader = ["--allow-ffi", "--allow-env", "--allow-sys", "--allow-read"];
  const runsNothing = ["--check", "-check", "--help", "-h", "convert"];
  if (commandLine.some((argument) => runsNothing.includes(argument))) return reader;
  const { net, write, run } = planOf([
    join(root, "src", "main.ts"),
    ...commandLine,
    "--print-permissions",
  ]);
  const allow = (name, values) =>
    values.length === 0 ? [] : [`--allow-${name}=${values.map(escapeComma).join(",")}`];
  return [...reader, ...allow("net", net), ...allow("write", write), ...allow("run", run)];
}

function netOptions(addresses) {
  return addresses.length === 0 ? [] : [`--allow-net=${addresses.join(",")}`];
}

/** A sandboxed server sees its settings and what a runtime needs, not the secrets of other programs that a variable may hold. */
function childEnvironment() {
  if (!usesData.has(command)) return process.env;
  // glibc's default, eight arenas a core, leaves freed blocks scattered over all of them: a seventh more memory after queries.
  const environment = { MALLOC_ARENA_MAX: String(availableParallelism()), ...process.env };
  if (runtime !== "deno") return environment;
  const isNeeded =
    /^(MALLOC_|TAILRACE_|DENO_|NODE_|NAPI_RS_|WS_|LC_|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|(DEFAULT_)?REGION)$|(PATH|HOME|TMPDIR|TZ|LANG|TERM|NO_COLOR|FORCE_COLOR)$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => isNeeded.test(name)));
}

/** Where the server will listen and what it will touch, by the same code that the server loads its settings with. */
function serverPlan() {
  return planOf([join(root, "src", "platform", "config", "launchPlan.ts"), ...commandLine]);
}

/** The command of a program outside of the sandbox. */
function trusted(program) {
  if (isImage) return [process.execPath, [...denoRun(), "--allow-all", ...program]];
  const node = join(root, "node_modules", ".bin", "node");
  return [node, ["--disable-warning=ExperimentalWarning", ...program]];
}

/** What a program prints as JSON. Its mistakes are the user's, who has read them when this ends. */
function planOf(program) {
  const result = spawnSync(...trusted(program), {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
  return JSON.parse(result.stdout);
}

/** Deno separates paths with commas and takes a doubled one as part of a path. */
function escapeComma(path) {
  return path.replaceAll(",", ",,");
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
