/** Drives the page in Chromium as a person would: opens it, reads its rows, writes queries. Owns the browser's life and
 *  watching for errors; what is expected is the test's business. Invariant: a test that ends with an unexpected console
 *  message fails. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import type { Test } from "tap";
import { launchChromium } from "../../src/testing/browser.ts";

let shared: Promise<Browser> | undefined;

/** One browser for all tests of a file; it closes with the file's last test. */
export function browserFor(t: Test): Promise<Browser> {
  shared ??= launchChromium();
  t.teardown(async () => {
    await (await shared)?.close();
    shared = undefined;
  });
  return shared;
}

/** A page of its own, closed with the test `t`; its console is checked then. */
export async function openPage(
  t: Test,
  address: string,
  options: BrowserContextOptions & { readonly expectedErrors?: RegExp } = {},
): Promise<PageDriver> {
  const { expectedErrors, ...contextOptions } = options;
  const browser = await (shared ??= launchChromium());
  const context = await browser.newContext({
    viewport: { width: 1300, height: 800 },
    ...contextOptions,
  });
  const page = await context.newPage();
  // Not a limit on speed: it makes a step that can never succeed fail by name.
  page.setDefaultTimeout(600_000);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    const isError = message.type() === "error" || message.type() === "warning";
    if (isError && expectedErrors?.test(message.text()) !== true) errors.push(message.text());
  });
  t.teardown(async () => {
    await context.close();
    if (errors.length > 0) throw new Error(`The page complained:\n${errors.join("\n")}`);
  });
  await page.goto(address);
  return new PageDriver(page);
}

export class PageDriver {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Writes a query in place of the one that stands there, without running it. */
  async writeQuery(query: string): Promise<void> {
    await this.page.locator(".editor #query").click();
    await this.page.keyboard.press("ControlOrMeta+a");
    await this.page.keyboard.press("Delete");
    await this.page.keyboard.insertText(query);
  }

  /** Writes a query and runs it. */
  async runQuery(query: string): Promise<void> {
    await this.writeQuery(query);
    await this.page.press("#query", "Control+Enter");
    await this.settled();
  }

  /** Waits until no query is on its way. */
  async settled(): Promise<void> {
    await this.page.waitForSelector('main[aria-busy="false"]');
    await this.page.waitForSelector(".skeleton", { state: "detached" });
  }

  /** The query as the editor shows it. */
  async queryText(): Promise<string> {
    await this.page.waitForSelector(".editor #query");
    const lines = await this.page.$$eval(
      ".editor .cm-line",
      (elements) => elements.map((each) => each.textContent ?? ""),
    );
    return await this.page.locator(".editor .cm-placeholder").count() > 0 ? "" : lines.join("\n");
  }

  /** The texts of the rows in the document, top to bottom. */
  async drawnLines(): Promise<string[]> {
    return await this.page.$$eval(
      ".log .text",
      (cells) => cells.map((cell) => cell.textContent ?? ""),
    );
  }

  /** Scrolls from the top to the end, older pages included, and gives each row's text once, in order. */
  async allLines(): Promise<string[]> {
    const size = this.page.viewportSize() ?? { width: 1300, height: 800 };
    await this.page.setViewportSize({ ...size, height: 3000 });
    const lines = await this.page.evaluate<string[]>(scrollThrough);
    await this.page.setViewportSize(size);
    return lines;
  }

  /** Waits until the drawn rows contain a text. */
  async waitForLine(text: string): Promise<void> {
    await this.page.locator(".log .text", { hasText: text }).first().waitFor();
  }

  /** Waits until the status says how many lines were found. */
  async waitForCount(count: number): Promise<void> {
    await this.page.locator(`.count:text-is("${count} line${count === 1 ? "" : "s"}")`).waitFor();
  }

  statusText(): Promise<string> {
    return this.page.innerText(".status");
  }

  /** Ticks or unticks a label's value in the sidebar, unfolding the label when needed. */
  async tick(label: string, value: string): Promise<void> {
    const item = this.page.locator(".labels > li").filter({
      has: this.page.locator(".label-name", { hasText: new RegExp(`^${label}$`) }),
    });
    const fold = item.locator(".fold");
    if (await fold.getAttribute("aria-expanded") === "false") await fold.click();
    await item.locator(`.values label[title="${value}"]`).click();
    await this.settled();
  }

  isTicked(value: string): Promise<boolean> {
    return this.page.isChecked(`.values label[title="${value}"] input`);
  }
}

/** The page's address for a query. */
export function addressOf(base: string, parameters: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(parameters).toString();
  return `${base.replace(/\/$/, "")}/${search === "" ? "" : `?${search}`}`;
}

// Runs in the page, and is text because this project's types know no document.
const scrollThrough = `(async () => {
  const list = document.querySelector(".list");
  const found = new Map();
  if (list === null) return [];
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
  list.scrollTop = 0;
  for (;;) {
    await frame();
    await frame();
    for (const row of list.querySelectorAll(".log")) {
      const text = row.querySelector(".text");
      if (text !== null) found.set(Number(row.dataset.sequence), text.textContent ?? "");
    }
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 1;
    const end = list.querySelector(".list-end")?.textContent ?? "";
    if (atEnd && !/(older|newer) lines/i.test(end)) break;
    list.scrollTop += list.clientHeight - 100;
  }
  return [...found].sort(([a], [b]) => a - b).map(([, text]) => text);
})()`;
