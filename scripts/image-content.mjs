/** Makes what the image holds besides its base, in a folder that becomes the image's root: Deno and the program `tailrace` in
 *  usr/local/bin; in app the sources, the kernels, the page, the packages that they need, and what Deno has worked out of them.
 *  Dockerfile runs it as `node scripts/image-content.mjs /` where scripts/prepare.mjs has built everything. Owns which files
 *  those are. Whatever the modes of the checkout: everybody may read them, and only their owner may write. Runs on Node 24. */
import { spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Of the checkout. */
const content = ["LICENSE", "package.json", "deno.json", "bin", "src", "build", join("ui", "dist")];

/** What only people and tests read, and what the kernels were compiled from. */
const unused = [
  /\.test\.ts$/,
  /^src\/testing$/,
  /^src\/kernels\/assembly$/,
  /^node_modules\/(effect|@effect\/[^/]+)\/(src|ai-docs)$/,
  /^node_modules\/.*\.(d\.[cm]?ts|map)$/,
  /^node_modules\/(?!.*\/licen[cs]e[^/]*$).*\.md$/i,
];

/** Fills `target`, an existing folder. Throws an Error that says what is missing. */
export async function makeImageContent(target) {
  process.umask(0o022);
  const app = join(target, "app");
  const programs = join(target, "usr", "local", "bin");
  mkdirSync(programs, { recursive: true });
  for (const path of [...content, ...packages()]) copy(path, join(app, path));
  const deno = join(programs, "deno");
  cpSync(denoProgram(), deno);
  writeFileSync(join(programs, "tailrace"), launcher);
  for (const path of [deno, join(programs, "tailrace")]) chmodSync(path, 0o755);
  await startOnce(deno, app);
  makeReadable(app);
}

/** The command line in the image, with the permissions that each command needs. */
const launcher = `#!/bin/sh
exec deno run --no-prompt --quiet --no-lock --config=/app/deno.json --allow-all /app/bin/tailrace.mjs "$@"
`;

function copy(path, to) {
  const from = join(root, path);
  if (!existsSync(from)) throw new Error(`${from} is missing: run node scripts/prepare.mjs`);
  const filter = (source) => {
    const inner = relative(root, source).replaceAll("\\", "/");
    // A package below another one is a package of its own.
    const isOther = source !== from && basename(source) === "node_modules";
    return !isOther && !unused.some((pattern) => pattern.test(inner));
  };
  cpSync(from, to, { recursive: true, filter });
}

/** The folders of the packages that running needs, those of them that this platform has. */
function packages() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries(packages)
    .filter(([path, { dev, optional }]) =>
      path !== "" && dev !== true && (optional !== true || existsSync(join(root, path)))
    )
    .map(([path]) => path);
}

function denoProgram() {
  const platforms = join(root, "node_modules", "@deno");
  const found = readdirSync(platforms).map((name) => join(platforms, name, "deno"))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${platforms} has no Deno: run npm ci`);
  return found;
}

/** The root file system is read-only at run time, so what Deno keeps of the modules it has loaded is made now: the server's and
 *  the collector's. A start then takes half of the time, and memory less. */
async function startOnce(deno, app) {
  const cache = join(app, ".deno");
  const scratch = mkdtempSync(join(tmpdir(), "tailrace-image-"));
  // The flags of V8 must be those of the image's command line: what was compiled with others does not count.
  const options = ["--no-prompt", "--quiet", "--no-lock", `--config=${join(app, "deno.json")}`];
  const run = (parameters, until) =>
    runUntil(
      deno,
      ["run", ...options, "--v8-flags=--expose-gc", "--allow-all", join(app, "src", "main.ts")]
        .concat(parameters),
      { DENO_DIR: cache, DENO_NO_UPDATE_CHECK: "1", PATH: process.env.PATH },
      until,
    );
  try {
    const address = ["--server.http-listen-address=127.0.0.1", "--server.http-listen-port=0"];
    await run(["serve", `--common.path-prefix=${scratch}`, ...address], "listening on ");
    // Ends with its input, of which there is none.
    const config = join(scratch, "collect.yaml");
    writeFileSync(config, "clients: [{ url: http://127.0.0.1:9/loki/api/v1/push }]\n");
    await run(["collect", "--stdin", `--config.file=${config}`, `--data-dir=${scratch}`]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const name of ["dep_analysis_cache", "node_analysis_cache", "v8_code_cache"]) {
    const database = readdirSync(cache).find((file) => new RegExp(`^${name}_v\\d+$`).test(file));
    if (database === undefined) throw new Error(`Deno keeps no ${name} in ${cache} any more`);
    makeReadOnly(join(cache, database));
  }
}

/** SQLite reads a database that it may not write if there are a write-ahead log and its index; empty ones will do. */
function makeReadOnly(path) {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  for (const end of ["-wal", "-shm"]) writeFileSync(path + end, "");
}

/** Runs a program until it ends, or prints `until`, and has then ended as it was asked to. */
function runUntil(program, parameters, env, until) {
  const child = spawn(program, parameters, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (part) => {
      const before = until !== undefined && output.includes(until);
      output += part;
      if (!before && until !== undefined && output.includes(until)) child.kill("SIGTERM");
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`deno ${parameters.join(" ")} ended with ${code}:\n${output}`));
    });
  });
}

function makeReadable(path) {
  const { mode } = statSync(path);
  const isFolder = statSync(path).isDirectory();
  chmodSync(path, isFolder || (mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (!isFolder) return;
  for (const name of readdirSync(path)) makeReadable(join(path, name));
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  const [target] = process.argv.slice(2);
  if (target === undefined) throw new Error("name the folder");
  await makeImageContent(resolve(target));
}
