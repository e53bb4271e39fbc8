/** What tests of the page do with a server's scenario: push lines with levels, open the page on a query, read files it saves. */
import { readFileSync } from "node:fs";
import type { Test } from "tap";
import type { Scenario } from "../../src/testing/onServer.ts";
import { addressOf, openPage, type PageDriver } from "./pageDriver.ts";

export const nanosecondsPerSecond = 1_000_000_000n;

export interface PushedLine {
  readonly line: string;
  readonly level?: string;
  /** Seconds before now. */
  readonly age?: number;
}

/** Pushes lines to one stream of the scenario; those of one age follow one another by a nanosecond. */
export async function push(
  scenario: Scenario,
  lines: readonly PushedLine[],
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const values = lines.map(({ line, level, age = 60 }, i) => [
    (now - BigInt(age) * nanosecondsPerSecond + BigInt(i)).toString(),
    line,
    level === undefined ? {} : { detected_level: level },
  ]);
  const response = await fetch(`${scenario.server.baseUrl}/loki/api/v1/push`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ streams: [{ stream: { app: scenario.app, ...labels }, values }] }),
  });
  if (response.status !== 204) throw new Error(await response.text());
}

/** Opens the page on a query and waits for its answer and the editor. */
export async function openQuery(
  t: Test,
  scenario: Scenario,
  query: string,
  more: Readonly<Record<string, string>> = {},
  options: Parameters<typeof openPage>[2] = {},
): Promise<PageDriver> {
  const address = addressOf(scenario.server.baseUrl, { q: query, ...more });
  const driver = await openPage(t, address, options);
  await driver.settled();
  await driver.page.waitForSelector(".editor #query");
  return driver;
}

export const selectorOf = (scenario: Scenario) => `{app="${scenario.app}"}`;

/** A parameter of the page's present address. */
export const parameter = (driver: PageDriver, name: string) =>
  new URL(driver.page.url()).searchParams.get(name);

/** Presses what saves a file, and reads it. */
export async function savedBy(driver: PageDriver, press: () => Promise<void>): Promise<string> {
  const saved = driver.page.waitForEvent("download");
  await press();
  return readFileSync(await (await saved).path(), "utf8");
}

/** Lines as numbered texts: "word 0", "word 1" and so on. */
export function numbered(count: number, word: string): PushedLine[] {
  return Array.from({ length: count }, (_, i) => ({ line: `${word} ${i}` }));
}

export const textsOf = (lines: readonly PushedLine[]) => lines.map(({ line }) => line);
