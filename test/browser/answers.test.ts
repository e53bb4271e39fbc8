/** What the page makes of answers, in Chromium against the real server: explanations, graphs, files, patterns, fields, what the
 *  editor offers, panes side by side, and how a long search is told and ended. The rest of Explore is explore.test.ts's. */
import t from "tap";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { addressOf, browserFor, openPage, type PageDriver } from "./pageDriver.ts";
import {
  numbered,
  openQuery,
  parameter,
  push,
  savedBy,
  selectorOf,
  textsOf,
} from "./pageScenario.ts";

const download = (driver: PageDriver, part: string, format: string) =>
  savedBy(driver, async () => {
    await driver.page.click('[aria-label="Download lines"]');
    await driver.page.getByRole("group", { name: part }).getByRole("menuitem", { name: format })
      .click();
  });

/** What the canvas shows, as text that differs when it does. */
const picture = (driver: PageDriver) =>
  driver.page.evaluate<string>(`document.querySelector(".graph-canvas canvas").toDataURL()`);

/** Draws a frame and what follows it. */
const frame = (driver: PageDriver) =>
  driver.page.evaluate(
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
  );

const scenarios: Record<string, ScenarioBody> = {
  "explain: what is read, how it is narrowed, what it costs": async (t, scenario) => {
    const lines = Array.from({ length: 50 }, (_, i) => ({ line: `{"kind":"order","n":${i}}` }));
    await push(scenario, lines);
    const driver = await openQuery(
      t,
      scenario,
      `${selectorOf(scenario)} |= "order" | json | n > 39`,
    );
    const { page } = driver;
    await page.click('[aria-label="Explain the query"]');
    const steps = page.locator(".explain-steps > li");
    await steps.first().waitFor();
    const words = (await steps.allInnerTexts()).map((text) => text.replace(/\s+/g, " "));
    t.match(words[0], new RegExp(`Find streams.* app="${scenario.app}" 1 streams`));
    t.match(words[1], /whole blocks.* \|= "order"/);
    t.match(words[2], /line by line \| json \| n > 39/);
    t.match(words[3], /50 lines looked at, 10 lines answered/);
    await page.keyboard.press("Escape");
    await page.locator(".explain").waitFor({ state: "detached" });
    await driver.writeQuery(`sum by (app) (rate(${selectorOf(scenario)} | json [5m]))`);
    await page.click('[aria-label="Explain the query"]');
    await page.locator(".explain-steps", { hasText: "by (app)" }).waitFor();
    t.match(await page.innerText(".explain-query"), /sum by \(app\) \(rate/);
  },

  "graphs: lines, bars, stacked; a legend that hides; table, figures; instant": async (
    t,
    scenario,
  ) => {
    // Far enough from the edge of the last ten minutes that the time the test takes moves none over it.
    const aged = (count: number, level: string) =>
      Array.from(
        { length: count },
        (_, i) => ({ line: `${i}`, level, age: i < 15 ? 30 + 18 * i : 1500 + 20 * i }),
      );
    await push(scenario, [...aged(40, "info"), ...aged(10, "error")]);
    const query = `sum by (detected_level) (count_over_time(${selectorOf(scenario)}[10m]))`;
    const driver = await openQuery(t, scenario, query);
    const { page } = driver;
    await page.locator(".u-over").waitFor();
    const kinds = new Map<string, string>();
    for (const kind of ["Lines", "Bars", "Stacked"]) {
      await page.getByRole("button", { name: kind, exact: true }).click();
      await page.locator(".u-over").waitFor();
      await frame(driver);
      kinds.set(kind, await picture(driver));
    }
    t.equal(new Set(kinds.values()).size, 3, "three pictures");
    t.equal(parameter(driver, "graph"), "stacked");
    const both = kinds.get("Stacked");
    await page.locator(".series-name", { hasText: "error" }).click();
    await frame(driver);
    t.not(await picture(driver), both, "without a series another picture");
    await page.locator(".series-name", { hasText: "error" }).click();
    await frame(driver);
    t.equal(await picture(driver), both, "and back");
    await page.locator(".series-name", { hasText: "info" }).click({ modifiers: ["Control"] });
    t.strictSame(
      await page.locator(".series-name").evaluateAll((all) =>
        all.map((each) => [each.textContent, each.getAttribute("aria-pressed")])
      ),
      [['{detected_level="error"}', "false"], ['{detected_level="info"}', "true"]],
      "Ctrl leaves one alone",
    );
    await page.getByRole("button", { name: "Table", exact: true }).click();
    await page.getByRole("button", { name: "Most" }).click();
    const most = await page.locator(".series tbody td:nth-child(4)").allInnerTexts();
    t.strictSame(most.map(Number), [...most.map(Number)].sort((a, b) => b - a), "sorted");
    await page.getByRole("button", { name: "Instant" }).click();
    await driver.settled();
    t.equal(parameter(driver, "instant"), "1");
    await page.getByRole("button", { name: "Figures" }).click();
    const [error, info] = await page.locator(".stat b").allInnerTexts();
    t.strictSame([error, info], ["10", "15"], "of the last ten minutes");
    await page.goBack();
    await driver.settled();
    t.equal(parameter(driver, "instant"), null);
  },

  "numbers as CSV, JSON and text are the answer's": async (t, scenario) => {
    await push(scenario, numbered(12, "line"));
    const query = `count_over_time(${selectorOf(scenario)}[1h])`;
    const driver = await openQuery(t, scenario, query, { instant: "1", graph: "table" });
    const save = (name: string) =>
      savedBy(
        driver,
        () => driver.page.getByRole("button", { name, exact: true }).click(),
      );
    const [series] = JSON.parse(await save("JSON"));
    t.equal(series.labels.app, scenario.app);
    t.equal(series.points[0][1], "12");
    const csv = (await save("CSV")).trim().split("\r\n");
    t.equal(csv.length, 2);
    t.match(csv[1], new RegExp(`^20.*,${scenario.app},.*,12$`));
    t.match(await save("Text"), new RegExp(`^20\\S+\\t12\\t\\{app="${scenario.app}".*\\}\n$`));
  },

  "lines as a file: what is loaded, and all there is": async (t, scenario) => {
    const lines = numbered(6300, "row");
    lines[6299] = { line: 'comma, "quote"' };
    await push(scenario, lines);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const newestFirst = textsOf(lines).toReversed();
    const loaded = await download(driver, "The 1,000 loaded lines", "Text");
    t.strictSame(loaded.trimEnd().split("\n"), newestFirst.slice(0, 1000));
    const all = await download(driver, "All lines that match", "JSON");
    const parsed = all.trimEnd().split("\n").map((each) => JSON.parse(each));
    t.strictSame(parsed.map(({ line }) => line), newestFirst);
    t.match(parsed[0], { labels: { app: scenario.app } });
    t.match(parsed[0].timestamp, /^\d{19}$/);
    const csv = (await download(driver, "All lines that match", "CSV")).trimEnd().split("\r\n");
    t.equal(csv.length, 6301);
    t.match(csv[0], /^time,line,app,/);
    t.match(csv[1], /^20\S+Z,"comma, ""quote""",/);
  },

  "patterns of what the query leaves: counts, when, filters": async (t, scenario) => {
    await push(scenario, [
      ...Array.from({ length: 30 }, (_, i) => ({
        line: `user ${i} logged in from 10.0.0.${i}`,
        age: 60 + i,
      })),
      ...Array.from({ length: 12 }, (_, i) => ({ line: `cart ${i} was closed`, age: 90 })),
    ]);
    const driver = await openQuery(t, scenario, selectorOf(scenario), { tab: "patterns" });
    const { page } = driver;
    const row = (text: string) => page.locator(".patterns tbody tr", { hasText: text });
    await row("logged in").waitFor();
    t.equal(await row("logged in").locator(".number").first().innerText(), "30");
    t.equal(await row("was closed").locator(".number").first().innerText(), "12");
    const bars = async (text: string) =>
      await row(text).locator(".spark rect").evaluateAll((all) =>
        all.map((each) => Number(each.getAttribute("height")))
      );
    const filled = (heights: number[]) => heights.flatMap((height, i) => height > 0 ? [i] : []);
    const [loggedIn, closed] = [await bars("logged in"), await bars("was closed")];
    t.equal(loggedIn.length, closed.length, "sparklines have one axis");
    t.ok(loggedIn.length > 50, "which is the range");
    t.ok(filled(loggedIn)[0]! > 50, "in which the lines are where they were");
    t.strictSame(filled(closed).filter((i) => !filled(loggedIn).includes(i)), []);
    t.match(await page.innerText(".patterns .hint"), /^All 42 lines of the range/);
    const heads = await page.locator(".patterns thead th").allInnerTexts();
    const cells = row("logged in").locator("td");
    t.equal(heads.length, await cells.count(), "each column has a head");
    t.equal(await cells.nth(heads.indexOf("Pattern")).innerText(), "user <_> logged in from <_>");
    await row("was closed").locator('[aria-label="Only lines of this pattern"]').click();
    await driver.waitForCount(12);
    t.match(parameter(driver, "q"), / \|> "cart <_> was closed"$/);
    // The field filter counts: patterns are those of the lines on the screen.
    await driver.runQuery(`${selectorOf(scenario)} |= "cart 3"`);
    await page.locator(".segments.small button", { hasText: "Patterns" }).click();
    await page.locator(".patterns tbody tr:only-child", { hasText: "cart" }).waitFor();
    t.equal(await page.innerText(".patterns tbody td"), "1");
  },

  "fields: types; values and their number are counted over the whole range": async (
    t,
    scenario,
  ) => {
    // More lines than the sample that fields are found in.
    await push(
      scenario,
      Array.from({ length: 1500 }, (_, i) => ({
        line: `took=${i}ms user=${i < 1200 ? "ann" : "bob"} path=/orders ok=true n=${i % 7}`,
      })),
    );
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    await page.locator(".fold.section").click();
    const field = (name: string) =>
      page.locator(".fields-panel li", {
        has: page.locator(`.label-name:text-is("${name}")`),
      });
    t.match(await field("took").innerText(), /duration/);
    t.match(await field("n").innerText(), /int · 7/);
    t.match(await field("ok").innerText(), /boolean · 1/);
    await field("user").locator(".fold").click();
    await field("user").locator(".top-values .hint", { hasText: "of the range" }).waitFor();
    t.match(await field("user").innerText(), /2 values in 1,500 lines of the range/);
    t.match((await field("user").innerText()).replace(/\s+/g, " "), /ann 1,200 bob 300/);
  },

  "the editor offers functions and fields, asks once, and the past comes back": async (
    t,
    scenario,
  ) => {
    await push(scenario, [{ line: '{"tempo":1}' }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    let asked = 0;
    page.on("request", (request) => {
      if (request.url().includes("detected_fields")) asked++;
    });
    await driver.runQuery(`${selectorOf(scenario)} |= "tempo"`);
    await page.keyboard.press("Control+ArrowUp");
    await page.keyboard.press("Control+ArrowUp");
    t.equal(await driver.queryText(), selectorOf(scenario), "the query before");
    const choose = (label: string) =>
      page.locator(".cm-tooltip-autocomplete li", { hasText: label }).first().click();
    await driver.writeQuery("");
    await page.keyboard.type("count_o");
    await choose("count_over_time");
    t.equal(await driver.queryText(), "count_over_time({}[$__auto])");
    await driver.writeQuery(`${selectorOf(scenario)} | json | `);
    await page.keyboard.type("tem");
    await choose("tempo");
    await driver.writeQuery(`${selectorOf(scenario)} | json | `);
    await page.keyboard.type("temp");
    await page.locator(".cm-tooltip-autocomplete li", { hasText: "tempo" }).first().waitFor();
    t.equal(asked, 1, "fields were asked for once");
  },

  "values beyond thousands are found, and few are drawn": async (t, scenario) => {
    const streams = Array.from({ length: 2600 }, (_, i) => ({
      labels: `{app="${scenario.app}", pod="pod-${String(i).padStart(4, "0")}"}`,
      entries: [{ timestamp: scenario.now, line: "x" }],
    }));
    await scenario.push.push(streams);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    await page.locator(".labels .fold", { hasText: /^pod$/ }).click();
    const drawn = page.locator('.values label[title^="pod-"]');
    await drawn.first().waitFor();
    t.equal(await drawn.count(), 200);
    await page.locator(".values .hint", { hasText: "2,400 more" }).waitFor();
    await page.fill('[aria-label="Find a label or value"]', "pod-2599");
    await drawn.first().waitFor();
    t.equal(await drawn.count(), 1);
    await drawn.first().click();
    await driver.waitForCount(1);
    await driver.writeQuery(`{app="${scenario.app}", pod="`);
    await page.keyboard.type("pod-259");
    await page.locator(".cm-tooltip-autocomplete li", { hasText: "pod-2598" }).first().click();
    t.match(await driver.queryText(), /pod="pod-2598"/);
  },

  "pods side by side: each has its lines, in order, and is followed live": async (t, scenario) => {
    for (const pod of ["a", "b", "c"]) {
      await push(scenario, numbered(40, `from ${pod}`), { namespace: "side-by-side", pod });
    }
    // As StatefulSets do: another namespace has a pod of the same name.
    await push(scenario, numbered(40, "from elsewhere"), { namespace: "elsewhere", pod: "a" });
    const driver = await openPage(
      t,
      addressOf(scenario.server.baseUrl, { page: "kubernetes" }),
    );
    const { page } = driver;
    await page.fill('[aria-label="Find a namespace, workload or pod"]', scenario.app);
    await page.locator(".tree-workload").first().waitFor();
    await page.fill('[aria-label="Find a namespace, workload or pod"]', "");
    await page.locator(".tree-namespace .fold", {
      has: page.locator('.label-name:text-is("side-by-side")'),
    }).click();
    await page.locator(".tree-workload .fold", { hasText: scenario.app }).click();
    await page.click('[aria-label="Choose a"]');
    await page.click('[aria-label="Choose b"]');
    await page.click("text=Follow 2 pods side by side");
    await page.waitForSelector(".state-following");
    const pane = (pod: string) => page.locator(`.pane[aria-label="pod ${pod}"]`);
    t.match(await driver.queryText(), '{namespace=~"side-by-side", pod=~"a|b"}');
    await pane("b").locator(".text", { hasText: "from b 39" }).waitFor();
    t.equal(await page.locator(".pane").count(), 2, "and no more");
    const shown = await pane("a").locator(".text").allInnerTexts();
    t.strictSame(shown, textsOf(numbered(40, "from a")).slice(-shown.length));
    const colours = await page.evaluate<string[]>(
      `[...document.querySelectorAll(".pane header b")].map((each) => getComputedStyle(each).color)`,
    );
    t.equal(new Set(colours).size, 2, "each in its colour");
    await push(scenario, [{ line: "new in a", age: 0 }], { namespace: "side-by-side", pod: "a" });
    await push(scenario, [{ line: "new in b", age: 0 }], { namespace: "side-by-side", pod: "b" });
    await pane("a").locator(".text", { hasText: "new in a" }).waitFor();
    await pane("b").locator(".text", { hasText: "new in b" }).waitFor();
    t.equal(await pane("a").locator(".text", { hasText: "in b" }).count(), 0);
    await page.click('[aria-label="Without a"]');
    await pane("a").waitFor({ state: "detached" });
    await pane("b").waitFor();
    await page.selectOption('[aria-label="Side by side"]', "");
    await page.locator(".pane").first().waitFor({ state: "detached" });
    t.equal(parameter(driver, "split"), null);
  },

  "a long search says how far it is and how long it will take; ended, it ends on the server":
    async (
      t,
      scenario,
    ) => {
      const text = "abcdefghij ".repeat(30);
      // Many streams: how far a search is, is told from one to the next.
      await scenario.push.push(Array.from({ length: 80 }, (_, part) => ({
        labels: `{app="${scenario.app}", part="${part}"}`,
        entries: Array.from({ length: 80 }, (_, i) => ({
          timestamp: scenario.now + BigInt(i),
          line: `${text} ${i}`,
        })),
      })));
      // Each stage rewrites each line: seconds of work, of which a moment is wanted.
      const stage = '| line_format "{{ regexReplaceAll \\"[a-j]\\" __line__ \\"kl\\" }}" ' +
        '| line_format "{{ regexReplaceAll \\"kl\\" __line__ \\"a\\" }}"';
      const slow = `${selectorOf(scenario)} ${`${stage} `.repeat(2)}|= "never"`;
      const driver = await openPage(
        t,
        addressOf(scenario.server.baseUrl, { q: slow, volume: "0" }),
      );
      const { page } = driver;
      const status = page.locator(".status");
      await status.filter({ hasText: /Searching… \d+ %/ }).waitFor();
      await status.filter({ hasText: /[\d.]+ .?B of [\d.]+ .?B, [\d.]+ .?B\/s/ }).waitFor();
      await status.filter({ hasText: /about .* left/ }).waitFor();
      const running = async () => {
        const reply = await fetch(`${scenario.server.baseUrl}/tailrace/api/v1/queries`);
        return (await reply.json() as { queries: unknown[] }).queries;
      };
      t.equal((await running()).length, 1);
      await page.click("text=Cancel");
      t.match(await page.innerText("#query-problem"), /Cancelled/);
      while ((await running()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      t.pass("it no longer runs");
      // The same from elsewhere: Operations lists it and ends it.
      await page.click("text=Try again");
      await status.filter({ hasText: /Searching… \d+ %/ }).waitFor();
      const operator = await openPage(
        t,
        addressOf(scenario.server.baseUrl, { page: "operations" }),
        { expectedErrors: /404/ },
      );
      await operator.page.locator(".card li code", { hasText: "regexReplaceAll" }).waitFor();
      await operator.page.getByRole("button", { name: "End", exact: true }).click();
      await page.locator("#query-problem p").waitFor();
      t.match(await page.innerText("#query-problem p"), /cancel|ended/i);
    },
};

t.before(() => browserFor(t));
onServer(settingsWithoutLimits, scenarios, { on: "deno" });
