/** Finds the NATS programs on the machine for tests. scripts/prepare.mjs owns installing nats-server; the `nats` command is only
 *  for tests of what docs/nats.md shows. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** The path of nats-server: $NATS_SERVER, then PATH, then Tailrace's cache of programs; undefined when there is none. */
export function findNatsServer(): string | undefined {
  const given = process.env["NATS_SERVER"];
  if (given !== undefined && given !== "" && existsSync(given)) return given;
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), programCache()];
  return folders.map((folder) => join(folder, "nats-server")).find((path) => existsSync(path));
}

/** As findNatsServer, but fails with what to do. */
export function natsServerProgram(): string {
  const found = findNatsServer();
  if (found !== undefined) return found;
  throw new Error(
    `No nats-server in $NATS_SERVER, PATH or ${programCache()}: run \`node scripts/prepare.mjs --test\`, which installs it, or ` +
      "`go install github.com/nats-io/nats-server/v2@v2.15.2`, or set NATS_SERVER to its path",
  );
}

/** Where scripts/prepare.mjs puts programs that tests need. */
function programCache(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "tailrace", "bin");
}
