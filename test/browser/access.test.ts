/** Whether the page can be used without good eyes or a mouse: axe against WCAG 2.2 AA on each screen and each panel, light, dark
 *  and on a phone, and what the keyboard alone reaches, in Chromium against the real server. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import t, { type Test } from "tap";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { addressOf, browserFor, openPage, type PageDriver } from "./pageDriver.ts";
import { openQuery, parameter, push, selectorOf } from "./pageScenario.ts";

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

/** What axe finds against WCAG 2.2 AA in the page as it is. */
async function violations({ page }: PageDriver): Promise<string[]> {
  // Injected by the debugger: the page's policy lets no foreign script in.
  await page.evaluate(axeSource);
  const found = await page.evaluate<{ id: string; nodes: { html: string }[] }[]>(
    `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] })
      .then(({ violations }) => violations)`,
  );
  return found.map(({ id, nodes }) =>
    `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`
  );
}

interface Screen {
  readonly address: (selector: string) => Readonly<Record<string, string>>;
  /** Brings the screen about once its address is open. */
  readonly act?: (driver: PageDriver) => Promise<unknown>;
  /** What is on a narrow screen alone. */
  readonly isNarrow?: boolean;
}

const lines = (selector: string) => ({ q: selector });
const numbers = (graph: string) => (selector: string) => ({
  q: `sum by (pod) (count_over_time(${selector}[5m]))`,
  graph,
});
const unfold = async ({ page }: PageDriver) => {
  if (await page.locator(".sidebar").count() === 0) {
    await page.click('[title^="Labels and fields"]');
  }
  await page.locator(".sidebar button", { hasText: "Fields in the lines" }).click();
  await page.locator(".field-head").first().waitFor();
};
const openFirst = async ({ page }: PageDriver) => {
  await page.locator(".log").first().click();
  await page.locator(".drawer").waitFor();
};

async function openMore({ page }: PageDriver): Promise<void> {
  await page.click('[aria-label="More"]');
  await page.waitForSelector(".menu");
}

const screens: Readonly<Record<string, Screen>> = {
  "the first screen": { address: () => ({}), act: ({ page }) => page.waitForSelector(".examples") },
  "lines and volume": { address: lines, act: ({ page }) => page.waitForSelector(".legend") },
  "details": { address: lines, act: openFirst },
  "context": {
    address: lines,
    act: async (driver) => {
      await openFirst(driver);
      await driver.page.locator(".drawer .segments button", { hasText: "Context" }).click();
      await driver.page.locator(".context li").nth(3).waitFor();
    },
  },
  "columns, wrapped and laid out": {
    address: (q) => ({ q, columns: "pod,detected_level", wrap: "1", pretty: "1" }),
  },
  "fields": { address: lines, act: unfold },
  "a stream, paused": {
    address: (q) => ({ q, live: "1" }),
    act: async ({ page }) => {
      await page.waitForSelector(".state-following");
      await page.keyboard.press("Space");
      await page.waitForSelector(".state-paused");
    },
  },
  "side by side": { address: (q) => ({ q, split: "pod" }) },
  "patterns": {
    address: (q) => ({ q, tab: "patterns" }),
    act: ({ page }) => page.locator(".patterns tbody tr").first().waitFor(),
  },
  "a graph": {
    address: numbers("lines"),
    act: ({ page }) => page.waitForSelector("canvas"),
  },
  "a table": { address: numbers("table") },
  "figures": { address: (q) => ({ ...numbers("stat")(q), instant: "1" }) },
  "no lines": { address: (q) => ({ q: `${q} |= "absent"` }) },
  "an error": {
    address: (q) => ({ q: `${q} | = "y"` }),
    act: ({ page }) => page.waitForSelector("#query-problem p"),
  },
  "time range": {
    address: lines,
    act: async ({ page }) => {
      await page.keyboard.press("t");
      await page.waitForSelector(".range-panel");
    },
  },
  "past queries": {
    address: lines,
    act: async ({ page }) => {
      await page.keyboard.press("q");
      await page.waitForSelector(".queries-panel");
    },
  },
  "more": { address: lines, isNarrow: true, act: openMore },
  "explain": {
    address: lines,
    act: async (driver) => {
      const { page } = driver;
      const isNarrow = (page.viewportSize()?.width ?? 0) < 900;
      if (isNarrow) await openMore(driver);
      await page.click(isNarrow ? ".menu >> text=Explain" : '[aria-label="Explain the query"]');
      await page.waitForSelector("dialog[open] li");
    },
  },
  "help": {
    address: lines,
    act: async ({ page }) => {
      await page.keyboard.press("?");
      await page.waitForSelector("dialog.help[open]");
    },
  },
  "Kubernetes": {
    address: () => ({ page: "kubernetes" }),
    act: ({ page }) => page.locator(".tree .fold").first().click(),
  },
  "operations": {
    address: () => ({ page: "operations" }),
    act: ({ page }) => page.locator(".bars-list code").first().waitFor(),
  },
};

async function checkScreens(
  t: Test,
  scenario: Scenario,
  look: string,
  options: Parameters<typeof openPage>[2],
): Promise<void> {
  const expectedErrors = /status of 400|WebSocket/;
  const driver = await openPage(t, "about:blank", { ...options, expectedErrors });
  for (const [name, { address, act, isNarrow }] of Object.entries(screens)) {
    if (isNarrow === true && options?.isMobile !== true) continue;
    await driver.page.goto(addressOf(scenario.server.baseUrl, address(selectorOf(scenario))));
    await driver.settled();
    await act?.(driver);
    t.strictSame(await violations(driver), [], `${name}, ${look}`);
    const { width = 0 } = driver.page.viewportSize() ?? {};
    const size = await driver.page.evaluate<{ width: number; top: number }>(
      "({ width: document.documentElement.scrollWidth, top: document.documentElement.scrollTop })",
    );
    t.strictSame(size, { width, top: 0 }, `${name}, ${look}, is no larger than the window`);
  }
}

async function pushSome(scenario: Scenario): Promise<void> {
  const some = [
    { line: '{"level":"error","msg":"broken","took":12}', level: "error" },
    { line: "\x1b[33mslow\x1b[0m", level: "warn" },
    { line: `fine ${"and long ".repeat(30)}`, level: "info" },
    { line: "details", level: "debug" },
    { line: "worst", level: "critical" },
    { line: "nobody knows" },
  ];
  for (const pod of ["pod-a", "pod-b"]) await push(scenario, some, { namespace: "ns", pod });
}

const scenarios: Record<string, ScenarioBody> = {
  "each screen meets WCAG 2.2 AA: light": async (t, scenario) => {
    await pushSome(scenario);
    await checkScreens(t, scenario, "light", { colorScheme: "light" });
  },

  "dark": async (t, scenario) => {
    await pushSome(scenario);
    await checkScreens(t, scenario, "dark", { colorScheme: "dark" });
  },

  "on a phone": async (t, scenario) => {
    await pushSome(scenario);
    await checkScreens(t, scenario, "on a phone", {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    });
  },

  "the keyboard alone: a line's details, a filter from them, back, another range": async (
    t,
    scenario,
  ) => {
    await pushSome(scenario);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    const { keyboard } = page;
    await keyboard.press("j");
    await keyboard.press("Enter");
    await page.locator(".drawer").waitFor();
    const reach = async (label: string) => {
      for (let i = 0; i < 200; i++) {
        await keyboard.press("Tab");
        const at = await page.evaluate(`document.activeElement.getAttribute("aria-label")`);
        if (at === label) return;
      }
      throw new Error(`Tab does not reach ${label}`);
    };
    await reach("Only pod = this");
    await keyboard.press("Enter");
    await driver.waitForCount(6);
    t.match(parameter(driver, "q"), /pod="pod-b"/);
    await page.goBack();
    await driver.waitForCount(12);
    t.equal(parameter(driver, "q"), selectorOf(scenario));
    await keyboard.press("Escape");
    await keyboard.press("t");
    await page.waitForSelector(".range-panel");
    await keyboard.press("ControlOrMeta+a");
    await keyboard.type("now-2h");
    await keyboard.press("Enter");
    await driver.settled();
    t.equal(parameter(driver, "from"), "now-2h");
    t.equal(await page.locator(".range-panel").count(), 0);
  },
};

t.before(() => browserFor(t));
onServer(settingsWithoutLimits, scenarios, { on: "deno" });
