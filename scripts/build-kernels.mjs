/** Compiles src/kernels/assembly to build/kernels.wasm with AssemblyScript, when a source is newer
 *  than the module. Owns the compiler options; prepare.mjs calls it before the server or the tests
 *  start. Usage: node scripts/build-kernels.mjs [--force]. Runs on Node 20 and later. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));
const sourceFolder = join("src", "kernels", "assembly");
const modulePath = join("build", "kernels.wasm");

/** Raw memory discipline: no garbage collector, no imports. JavaScript grows the exported memory,
 *  up to 1 GB. Warning 201 is about addresses of 64 bits, which these kernels will never have. */
const compilerOptions = [
  "-O3",
  "--runtime",
  "stub",
  "--noAssert",
  "--enable",
  "simd",
  "--enable",
  "relaxed-simd",
  "--initialMemory",
  "8",
  "--maximumMemory",
  "16384",
  "--use",
  "abort=",
  "--disableWarning",
  "201",
];

/** Builds if needed and returns whether it did. Throws with the compiler's messages when the
 *  sources are wrong. */
export async function buildKernels({ force = false } = {}) {
  if (!force && isCurrent()) return false;
  const { default: asc } = await import("assemblyscript/asc");
  mkdirSync(join(root, "build"), { recursive: true });
  // Written aside and renamed, so that a process that loads the module meanwhile sees the old one
  // or the new one.
  const draftPath = `${modulePath}.${process.pid}.draft`;
  const entry = join(sourceFolder, "index.ts");
  const { error, stderr } = await asc.main(
    [entry, "--baseDir", root, "--outFile", draftPath, ...compilerOptions],
  );
  if (error !== null) {
    rmSync(join(root, draftPath), { force: true });
    throw new Error(`Cannot compile ${entry}: ${error.message}\n${stderr.toString()}`);
  }
  renameSync(join(root, draftPath), join(root, modulePath));
  return true;
}

/** True when the module is younger than every source and than this script, which holds the options.
 */
function isCurrent() {
  const path = join(root, modulePath);
  if (!existsSync(path)) return false;
  const builtAt = statSync(path).mtimeMs;
  const sources = readdirSync(join(root, sourceFolder), { recursive: true })
    .map((name) => join(root, sourceFolder, name));
  return [...sources, fileURLToPath(import.meta.url)]
    .every((source) => statSync(source).mtimeMs < builtAt);
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  const startedAt = performance.now();
  const built = await buildKernels({ force: process.argv.includes("--force") });
  const bytes = statSync(join(root, modulePath)).size;
  const took = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    built
      ? `kernels: compiled ${modulePath}, ${bytes} bytes, in ${took} s`
      : `kernels: ${modulePath} is current`,
  );
}
