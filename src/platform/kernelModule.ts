/** Reads build/kernels.wasm, the module that scripts/build-kernels.mjs compiles. Owns where it
 *  lies; src/kernels/kernels.ts owns what is done with it. The path is relative to this file, so
 *  any working directory and any worker thread will do. */
import { readFileSync } from "node:fs";

/** The bytes of the compiled kernels. Throws, with what to run, when they have not been built. */
export function readKernelModule(): Uint8Array<ArrayBuffer> {
  const url = new URL("../../build/kernels.wasm", import.meta.url);
  try {
    return new Uint8Array(readFileSync(url));
  } catch (cause) {
    throw new Error(
      `Cannot read the compiled kernels "${url.pathname}": ` +
        "run `node scripts/prepare.mjs`, which builds them",
      { cause },
    );
  }
}
