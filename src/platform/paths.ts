/** Where things are: in the installation and below the data directory. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory of the built page, or undefined if it is not built. */
export function pageDirectory(): string | undefined {
  const directory = fileURLToPath(new URL("../../ui/dist/", import.meta.url));
  return existsSync(join(directory, "index.html")) ? directory : undefined;
}

/** What lies where below common.path_prefix. */
export function dataPaths(pathPrefix: string) {
  const root = resolve(pathPrefix);
  return {
    root,
    writeLog: join(root, "wal"),
    objects: join(root, "objects"),
    index: join(root, "index.sqlite"),
    /** Copies of what is in NATS. */
    cache: join(root, "cache"),
    cachedSegments: join(root, "cache", "segments"),
  };
}
