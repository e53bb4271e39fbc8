/** Finds the S3 server that tests run against, versitygw, where scripts/prepare.mjs puts it or finds it. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Its path. Throws with what to do if there is none. */
export function s3Program(): string {
  const { VERSITYGW, PATH, XDG_CACHE_HOME } = process.env;
  const cache = join(XDG_CACHE_HOME || join(homedir(), ".cache"), "tailrace", "bin");
  const found = [
    VERSITYGW ?? "",
    ...(PATH ?? "").split(delimiter).map((folder) => join(folder, "versitygw")),
    join(cache, "versitygw"),
  ].find((path) => path !== "" && existsSync(path));
  if (found !== undefined) return found;
  throw new Error("There is no versitygw: run node scripts/prepare.mjs --test");
}
