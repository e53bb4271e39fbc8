// Finds a Chromium on the machine and starts it for tests. scripts/prepare.mjs owns installing one.
// Invariant: the browser touches no network but what the page asks for, and closes with the test.
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** The path of a Chromium or Chrome: $CHROMIUM_PATH, then PATH, then Playwright's own cache; undefined when there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM_PATH, PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH } = process.env;
  for (const path of [CHROMIUM_PATH, PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH]) {
    if (path !== undefined && existsSync(path)) return path;
  }
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  }
  const cache = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache", "ms-playwright");
  for (const version of existsSync(cache) ? readdirSync(cache).sort().reverse() : []) {
    for (const folder of ["chrome-linux", "chrome-linux64"]) {
      const path = join(cache, version, folder, "chrome");
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}

/** Starts Chromium without a window. Fails with what to do when the machine has none. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Error(
      "No Chromium found in $CHROMIUM_PATH, PATH or Playwright's cache: run `apt-get install chromium`, " +
        "or `npx playwright-core install chromium`, or set CHROMIUM_PATH to its path",
    );
  }
  return await chromium.launch({ executablePath, headless: true, args: flags });
}

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
