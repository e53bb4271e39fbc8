/** The corpus that benchmarks push, kept in build/ so that it is made once per scale. Owns the cache file's name
 *  and nothing else; src/testing/corpus.ts owns what is in it. Run by itself it makes the file: `node
 *  bench/corpus.ts [--quick|--scale=0.1]`. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type CorpusFacts, writeCorpus } from "../src/testing/corpus.ts";

/** A corpus on disk. */
export interface CachedCorpus {
  readonly path: string;
  readonly facts: CorpusFacts;
}

/** The corpus at `scale` (1 is 600 MB), generated if it is not there yet. */
export async function cachedCorpus(scale: number): Promise<CachedCorpus> {
  const path = fileURLToPath(new URL(`../build/corpus-${scale}.bin`, import.meta.url));
  if (existsSync(`${path}.json`) && existsSync(path)) {
    return { path, facts: JSON.parse(readFileSync(`${path}.json`, "utf8")) as CorpusFacts };
  }
  console.error(`Making the corpus at scale ${scale} in ${path}`);
  return { path, facts: await writeCorpus(path, { scale }) };
}

/** The scale that command line arguments ask for: `--quick` is a tenth. */
export function scaleFrom(parameters: ReadonlyArray<string>): number {
  const given = parameters.find((parameter) => parameter.startsWith("--scale="));
  if (given === undefined) return parameters.includes("--quick") ? 0.1 : 1;
  const scale = Number(given.slice("--scale=".length));
  if (!(scale > 0)) throw new RangeError(`"${given}": the scale must be a number above 0`);
  return scale;
}

if (import.meta.main) {
  const corpus = await cachedCorpus(scaleFrom(process.argv.slice(2)));
  console.log(JSON.stringify(corpus, undefined, 2));
}
