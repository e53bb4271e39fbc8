/** The built page, read into memory once: under a megabyte, in each of the encodings that its build made (ui/vite.config.ts),
 *  and the policy under which it runs. src/api/page.ts serves it. Invariant: a page that was opened before the files on disk
 *  changed still finds its parts. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

export interface PageFile {
  readonly contentType: string;
  /** Names the content. */
  readonly hash: string;
  readonly plain: Uint8Array;
  /** What a build without them lacks is sent plain. */
  readonly br: Uint8Array | undefined;
  readonly gzip: Uint8Array | undefined;
}

/** The files below a directory by their paths in URLs, such as `/assets/a.js`; `/` is index.html. Throws when one cannot be
 *  read. */
export function readPageFiles(directory: string): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || extname(entry.name) === ".br" || extname(entry.name) === ".gz") continue;
    const path = join(entry.parentPath, entry.name);
    const url = `/${path.slice(join(directory, "/").length).replaceAll("\\", "/")}`;
    files.set(url === "/index.html" ? "/" : url, readPageFile(path));
  }
  return files;
}

/** The Content-Security-Policy of a page: everything from this server, nothing inline but the scripts that stand in its HTML as
 *  it was built, each by its hash. What a log line smuggles into the page has no way to run or to call home. */
export function pagePolicy(html: string): string {
  const hashes = Array.from(
    html.matchAll(/<script>([^]*?)<\/script>/g),
    ([, script = ""]) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`,
  );
  return [
    "default-src 'self'",
    `script-src ${["'self'", ...hashes].join(" ")}`,
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
    "form-action 'self'",
  ].join("; ");
}

function readPageFile(path: string): PageFile {
  const read = (name: string) => existsSync(name) ? new Uint8Array(readFileSync(name)) : undefined;
  const plain = new Uint8Array(readFileSync(path));
  return {
    contentType: contentTypes[extname(path)] ?? "application/octet-stream",
    hash: createHash("sha256").update(plain).digest("base64url").slice(0, 22),
    plain,
    br: read(`${path}.br`),
    gzip: read(`${path}.gz`),
  };
}

const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml; charset=utf-8",
};
