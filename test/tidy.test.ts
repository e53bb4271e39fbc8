/** The style as a test: which folder may import which, no cycles, no dead files, an opening comment in each file, short files
 *  and lines, no unfinished work, no skipped test. Format, lint and types are check.test.ts's. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { catalogue } from "../src/platform/config/catalogue.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const fileLinesMax = 500;
/** deno fmt keeps code at 100; this bounds comments. What stands in quotes cannot be broken and does not count. */
const lineColumnsMax = 130;

/** A string, template or regular expression. */
const literal = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\/(?:[^/\\\s]|\\.)+\//g;

/** What each folder of src may import besides itself. Tests and src/testing may import anything. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  platform: [],
  kernels: ["platform"],
  streams: ["kernels", "platform"],
  logql: ["streams", "kernels", "platform"],
  cluster: ["streams", "kernels", "platform"],
  storage: ["cluster", "streams", "kernels", "platform"],
  actors: ["cluster", "storage", "logql", "streams", "kernels", "platform"],
  "actors/runtime": ["platform"],
  api: ["actors", "storage", "logql", "streams", "kernels", "platform"],
  collector: ["actors", "storage", "logql", "streams", "kernels", "platform"],
  checkSettings: ["actors", "api", "platform"],
  cli: [
    "checkSettings",
    "server",
    "actors",
    "cluster",
    "collector",
    "storage",
    "logql",
    "streams",
    "kernels",
    "platform",
  ],
  roles: ["actors", "cluster", "storage", "logql", "streams", "kernels", "platform"],
  server: [
    "roles",
    "api",
    "collector",
    "actors",
    "cluster",
    "storage",
    "logql",
    "streams",
    "kernels",
    "platform",
  ],
  main: ["cli", "platform"],
};

/** Programs that something outside of src starts. */
const entryPoints = ["src/main.ts", "src/platform/config/launchPlan.ts"];

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Paths from the root, as far as they are files of this repository. */
  readonly imports: ReadonlyArray<string>;
  /** The imports that are more than types. */
  readonly loads: ReadonlyArray<string>;
  readonly packages: ReadonlyArray<string>;
}

const files = ["src", "test", "bench", "ui", "scripts", "bin"].flatMap(filesBelow).map(read);
const fileByPath = new Map(files.map((file) => [file.path, file]));
const sources = files.filter(({ path }) =>
  path.startsWith("src/") && !path.startsWith("src/kernels/assembly/")
);
const product = sources.filter(({ path }) => !isForTests(path));

t.test("folders import in one direction", (t) => {
  for (const { path, imports } of product) {
    const from = folderOf(path);
    const allowed = [from, ...(mayImport[from] ?? [])];
    for (const target of imports) {
      const to = folderOf(target);
      const isAllowed = allowed.includes(to) || allowed.includes(to.split("/")[0]!) ||
        (from === "actors" && to === "actors/runtime");
      if (!isAllowed) t.fail(`${path} imports ${target}: ${from} may import ${allowed.join(", ")}`);
      if (isForTests(target)) t.fail(`${path} imports ${target}, which is for tests`);
    }
  }
  t.strictSame(
    [...new Set(product.map(({ path }) => folderOf(path)))].filter((name) => !(name in mayImport)),
    [],
    "every folder of src has its place",
  );
  t.end();
});

t.test("only src/platform imports node:*", (t) => {
  t.strictSame(
    product.filter(({ path }) => folderOf(path) !== "platform")
      .flatMap(({ path, packages }) =>
        packages.filter((name) => name.startsWith("node:")).map((name) => `${path}: ${name}`)
      ),
    [],
  );
  t.end();
});

t.test("no cycles", (t) => {
  const finished = new Set<string>();
  const open: Array<string> = [];
  const visit = (path: string): void => {
    if (finished.has(path)) return;
    const start = open.indexOf(path);
    if (start >= 0) return t.fail([...open.slice(start), path].join(" -> ")), undefined;
    open.push(path);
    for (const target of fileByPath.get(path)?.loads ?? []) visit(target);
    open.pop();
    finished.add(path);
  };
  for (const { path } of sources) visit(path);
  t.ok(finished.size > 0);
  t.end();
});

t.test("every file is used", (t) => {
  const used = reachableFrom(entryPoints);
  t.strictSame(
    product.map(({ path }) => path).filter((path) => !used.has(path)),
    [],
    "the product's files are reached from the program, not only from tests",
  );
  const tests = files.map(({ path }) => path).filter((path) => /\.test\.tsx?$/.test(path));
  const benchmarks = files.map(({ path }) => path).filter((path) => path.startsWith("bench/"));
  const usedByTests = reachableFrom([...tests, ...benchmarks]);
  t.strictSame(
    sources.map(({ path }) => path)
      .filter((path) => isForTests(path) && !usedByTests.has(path)),
    [],
    "what is for tests is reached from a test or a benchmark",
  );
  t.end();
});

t.test("every setting is read by something", (t) => {
  const readers = product.filter(({ path }) => !path.startsWith("src/platform/config/"))
    .map(({ text }) => text).join("\n");
  t.strictSame(
    catalogue.map(({ path }) => path)
      .filter((path) => !new RegExp(`\\b${path.split(".").at(-1)}\\b`).test(readers)),
    [],
  );
  t.end();
});

t.test("the lock file works on every platform and names no registry", (t) => {
  const text = readFileSync(join(root, "package-lock.json"), "utf8");
  t.notMatch(text, '"resolved"');
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      t.ok(
        packages[`${path}/node_modules/${name}`] ?? packages[`node_modules/${name}`],
        `${path || "package.json"} wants ${name}: npm ci refuses a lock file without it`,
      );
    }
  }
  t.end();
});

t.test("every file opens with a comment that says what it owns", (t) => {
  t.strictSame(
    files.filter(({ text }) => !/^(#!.*\n)?(\/\*\*|\/\/|\/\*)/.test(text)).map(({ path }) => path),
    [],
  );
  t.end();
});

t.test(`files have at most ${fileLinesMax} lines of at most ${lineColumnsMax} columns`, (t) => {
  for (const { path, text } of files) {
    const lines = text.trimEnd().split("\n");
    if (lines.length > fileLinesMax) t.fail(`${path} has ${lines.length} lines`);
    lines.forEach((line, index) => {
      const columns = line.replace(literal, '""').length;
      if (columns > lineColumnsMax) t.fail(`${path}:${index + 1} has ${columns} columns`);
    });
  }
  t.end();
});

t.test("no unfinished work, no skipped test, no check switched off without a reason", (t) => {
  const banned = [
    new RegExp(["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")),
    new RegExp("@ts-" + "(ignore|expect-error|nocheck)"),
    new RegExp("\\bt\\.(sk" + "ip|to" + "do)\\(|\\{ *(sk" + "ip|to" + "do|on" + "ly):"),
    new RegExp("deno-lint-" + "ignore(?!.*--)"),
  ];
  for (const { path, text } of files) {
    text.split("\n").forEach((line, index) => {
      const pattern = banned.find((candidate) => candidate.test(line));
      if (pattern) t.fail(`${path}:${index + 1} matches ${pattern}: ${line.trim()}`);
    });
  }
  t.end();
});

function filesBelow(folder: string): Array<string> {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    if (["node_modules", "dist", "build", "golden"].includes(entry.name)) return [];
    const below = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(below);
    return /\.(ts|tsx|mjs|js)$/.test(entry.name) ? [below] : [];
  });
}

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const statements = [
    ...text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']/gm),
    ...text.matchAll(/()\bimport\(\s*["']([^"']+)["']\s*\)/g),
    ...text.matchAll(
      /()new URL\(\s*["'](\.{1,2}\/[^"']+\.(?:ts|tsx|mjs))["'],\s*import\.meta\.url/g,
    ),
  ].map(([, type, specifier]) => ({ isType: Boolean(type), specifier: specifier! }));
  const local = statements.filter(({ specifier }) => specifier.startsWith("."));
  const toPath = ({ specifier }: { specifier: string }) =>
    relative(root, resolve(root, dirname(path), specifier));
  return {
    path,
    text,
    imports: local.map(toPath),
    loads: local.filter(({ isType }) => !isType).map(toPath),
    packages: statements.map(({ specifier }) => specifier).filter((name) => !name.startsWith(".")),
  };
}

/** "actors", "actors/runtime", "main", ...: the first folder below src, or the file's name when it lies in src. */
function folderOf(path: string): string {
  const [, folder, below] = path.split("/");
  if (folder === "actors" && below === "runtime") return "actors/runtime";
  return (folder ?? "").replace(/\.ts$/, "");
}

/** Tests, contract suites, the harness, and the kernels' plain twins, which are test oracles. */
function isForTests(path: string): boolean {
  return /\.(test|contract)\.tsx?$/.test(path) || path.startsWith("src/testing/") ||
    path.startsWith("src/kernels/reference");
}

function reachableFrom(starts: ReadonlyArray<string>): Set<string> {
  const reached = new Set<string>();
  const waiting = [...starts];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...(fileByPath.get(path)?.imports ?? []));
  }
  return reached;
}
