/** What the page offers beyond a list of lines, in Chromium against the real server: the editor, volume, graphs, fields,
 *  patterns, Kubernetes, operations. Lines, paging and live mode are page.test.ts's, that all of it can be used without a
 *  mouse or eyes access.test.ts's. */
import { readFileSync } from "node:fs";
import t from "tap";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { addressOf, browserFor, openPage } from "./pageDriver.ts";
import { openQuery, parameter, push, selectorOf } from "./pageScenario.ts";

const scenarios: Record<string, ScenarioBody> = {
  "the editor completes labels, values and stages, and underlines what is wrong": async (
    t,
    scenario,
  ) => {
    await push(scenario, [{ line: "a" }], { colour: "vermilion" });
    const driver = await openQuery(t, scenario, "");
    const { page } = driver;
    const choose = async (label: string) => {
      await page.locator(".cm-tooltip-autocomplete li", { hasText: label }).first().click();
    };
    await page.locator("#query").click();
    await page.keyboard.type("{co");
    await choose("colour");
    await page.keyboard.type("ver");
    await choose("vermilion");
    t.equal(await driver.queryText(), '{colour="vermilion"}');
    await page.keyboard.press("End");
    await page.keyboard.type(" | jso");
    await choose("json");
    await page.keyboard.press("Control+Enter");
    await driver.settled();
    t.equal(parameter(driver, "q"), '{colour="vermilion"} | json');
    await driver.writeQuery('{colour="vermilion"} | = 1');
    t.equal(await page.locator(".tok-wrong").innerText(), "=");
    t.match(await page.innerText(".objection"), /unexpected "="/);
    t.equal(parameter(driver, "q"), '{colour="vermilion"} | json', "nothing ran");
    await driver.writeQuery('{colour="vermilion"} |~ "a(b" | regexp "(?P<x>.)"');
    await page.locator(".objection", { hasText: /regular expression/ }).waitFor();
    await driver.writeQuery('{colour="vermilion"} |~ "a|b" | regexp "(?P<x>.)"');
    await page.locator(".objection").waitFor({ state: "detached" });
    await driver.writeQuery('sum by(app)(count_over_time({app="x"}[5m]))');
    await page.click('[aria-label="Format the query"]');
    await page.locator(".cm-line", { hasText: "sum by (app)" }).waitFor();
    t.pass("laid out");
  },

  "the caret stays where one types while results arrive": async (t, scenario) => {
    await push(scenario, [{ line: "a" }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    await driver.page.route("**/labels*", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await route.continue();
    });
    await driver.page.locator("#query").click();
    await driver.page.keyboard.press("End");
    await driver.page.keyboard.press("Control+Enter");
    await driver.page.keyboard.type(" |= `typed while it ran` ", { delay: 15 });
    t.equal(await driver.queryText(), `${selectorOf(scenario)} |= \`typed while it ran\` `);
  },

  "past and saved queries": async (t, scenario) => {
    await push(scenario, [{ line: "one" }, { line: "two" }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    await driver.runQuery(`${selectorOf(scenario)} |= "one"`);
    await driver.page.click('[aria-label="Past and saved queries"]');
    await driver.page.fill('[aria-label="Name for the present query"]', "my ones");
    await driver.page.keyboard.press("Enter");
    await driver.page.reload();
    await driver.settled();
    await driver.page.click('[aria-label="Past and saved queries"]');
    await driver.page.locator(".query-item", { hasText: "my ones" }).waitFor();
    await driver.page.locator(".query-item code", { hasText: /"}$/ }).first().click();
    await driver.settled();
    t.equal(parameter(driver, "q"), selectorOf(scenario));
  },

  "rows: marks, colours, columns, order, folding, layout": async (t, scenario) => {
    await push(scenario, [
      { line: '{"msg":"first","n":1}' },
      { line: "\x1b[31mred\x1b[0m needle" },
      { line: "took 12 ms" },
      { line: "took 7 ms" },
    ], { pod: "p-1" });
    const driver = await openQuery(
      t,
      scenario,
      `${selectorOf(scenario)} != "absent" |~ "needle|m"`,
    );
    const { page } = driver;
    t.equal(await page.locator(".log .mark", { hasText: "needle" }).count(), 1);
    await driver.runQuery(selectorOf(scenario));
    t.equal(await page.locator(".ansi-1").innerText(), "red");
    await page.keyboard.press("Escape");
    await page.locator("#query").blur();
    await page.keyboard.press("o");
    await page.locator(".log .text").first().filter({ hasText: "first" }).waitFor();
    t.equal((await driver.drawnLines()).length, 4, "oldest first");
    t.equal(parameter(driver, "order"), "oldest");
    await page.selectOption('[aria-label="Repeated lines"]', "numbers");
    t.equal(await page.innerText(".count-chip"), "×2");
    await page.keyboard.press("p");
    await page.locator(".log .text", { hasText: '  "msg": "first"' }).waitFor();
    await page.locator(".log", { hasText: "first" }).click();
    await page.click('[aria-label="Column pod"]');
    t.equal(await page.locator(".log .column").first().innerText(), "p-1");
    t.equal(parameter(driver, "columns"), "pod");
    await page.click('[aria-label="Only n = this"]');
    await driver.settled();
    t.equal(parameter(driver, "q"), `${selectorOf(scenario)} | json | n="1"`);
    t.equal((await driver.drawnLines()).length, 1);
  },

  "context: the lines around one in its stream, whatever the query filtered": async (
    t,
    scenario,
  ) => {
    const words = "word ".repeat(40);
    const lines = Array.from({ length: 60 }, (_, i) => ({ line: `line ${i} ${words}`.trim() }));
    await push(scenario, lines, { room: "a" });
    await push(scenario, [{ line: "another stream" }], { room: "b" });
    const driver = await openQuery(t, scenario, `${selectorOf(scenario)} |= "line 30"`);
    await driver.page.locator(".log").first().click();
    await driver.page.locator(".drawer .segments button", { hasText: "Context" }).click();
    await driver.page.locator(".context li", { hasText: "line 50" }).waitFor();
    await driver.page.locator(".context li", { hasText: "line 10" }).waitFor();
    const shown = await driver.page.locator(".context li .text").allInnerTexts();
    t.strictSame(shown, lines.slice(10, 51).map(({ line }) => line), "20 before, itself, 20 after");
    const box = await driver.page.locator(".context li.self").boundingBox();
    t.ok(box !== null && box.y > 200 && box.y < 700, "and the line itself stands in the middle");
    t.equal((await driver.page.locator(".topbar").boundingBox())?.y, 0, "of a page that stays");
  },

  "volume by level: exact counts, a click filters, a drag zooms, Back undoes": async (
    t,
    scenario,
  ) => {
    const many = (count: number, level: string, age: number) =>
      Array.from({ length: count }, (_, i) => ({ line: `${level} ${i}`, level, age }));
    await push(scenario, [...many(40, "info", 3000), ...many(7, "error", 600)]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    await page.locator(".legend", { hasText: "lines" }).waitFor();
    t.match((await page.innerText(".legend")).replace(/\s+/g, " "), /47 lines error 7 info 40/);
    await page.locator(".legend button", { hasText: "error" }).click();
    await driver.waitForCount(7);
    t.equal(parameter(driver, "q"), `${selectorOf(scenario)} | detected_level="error"`);
    await page.goBack();
    await driver.waitForCount(47);
    const box = await page.locator(".bars svg").boundingBox() ??
      { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(box.x + box.width * 0.6, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.99, box.y + 20, { steps: 4 });
    await page.mouse.up();
    await driver.waitForCount(7);
    await page.goBack();
    await driver.waitForCount(47);
    // The counts are asked for once the rows are there: what follows is about what is asked after.
    await driver.settled();
    await page.locator(".histogram:not(.stale) .legend", { hasText: "47 lines" }).waitFor();
    let asked = 0;
    page.on("websocket", (socket) => {
      if (socket.url().includes("count_over_time")) asked++;
    });
    await page.locator("#query").blur();
    await page.keyboard.press("v");
    await page.keyboard.press("r");
    await driver.settled();
    t.equal(asked, 0, "folded away it asks nothing");
  },

  "numbers: graph with a legend, table, figures, instant, export": async (t, scenario) => {
    await push(scenario, Array.from({ length: 30 }, (_, i) => ({ line: `x ${i}`, age: 10 + i })));
    const query = `sum by (app) (count_over_time(${selectorOf(scenario)}[1h]))`;
    const driver = await openQuery(t, scenario, query);
    const { page } = driver;
    await page.locator(".u-over").waitFor();
    await page.locator(".series-name").click();
    t.equal(await page.getAttribute(".series-name", "aria-pressed"), "false");
    await page.click("text=Instant");
    await driver.settled();
    await page.click("text=Figures");
    t.equal(await page.innerText(".stat b"), "30");
    const saved = page.waitForEvent("download");
    await page.locator("button", { hasText: "CSV" }).click();
    const csv = readFileSync(await (await saved).path(), "utf8").trim().split("\r\n");
    t.equal(csv[0], "time,app,value");
    t.ok(csv[1]?.endsWith(`,${scenario.app},30`), csv[1]);
  },

  "fields of the lines with exact top values, and patterns": async (t, scenario) => {
    await push(
      scenario,
      Array.from({ length: 40 }, (_, i) => ({
        line: JSON.stringify({ user: i % 4 === 0 ? "ann" : "bob", ms: i }),
      })),
    );
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    await page.locator(".fold.section").click();
    await page.locator(".field-head .fold", { hasText: "user" }).click();
    await page.locator(".top-values li").nth(1).waitFor();
    const values = await page.locator(".top-values li").allInnerTexts();
    t.strictSame(values.map((text) => text.replace(/\s+/g, " ").trim()), ["bob 30", "ann 10"]);
    await page.click('[aria-label="Only user = ann"]');
    await driver.waitForCount(10);
    await page.locator(".segments.small button", { hasText: "Patterns" }).click();
    await page.locator(".patterns tbody tr, .patterns .empty").first().waitFor();
    t.equal(parameter(driver, "tab"), "patterns");
  },

  "the errors of one pod, in four clicks and without LogQL": async (t, scenario) => {
    const labels = { namespace: `ns-${scenario.app}`, pod: `pod-${scenario.app}`, container: "c" };
    await push(scenario, [
      { line: "all is well", level: "info" },
      { line: "it broke", level: "error" },
    ], labels);
    const driver = await openPage(t, addressOf(scenario.server.baseUrl));
    const { page } = driver;
    await page.locator(".places button", { hasText: "Kubernetes" }).click();
    await page.locator(".tree .fold", { hasText: labels.namespace }).click();
    await page.locator(".tree-workload .fold", { hasText: scenario.app }).click();
    await page.click(`[aria-label="Errors of ${labels.pod}"]`);
    await driver.settled();
    t.strictSame(await driver.drawnLines(), ["it broke"]);
    await page.goBack();
    await page.locator(".tree-namespace").first().waitFor();
  },

  "Kubernetes: what was found, sorted, unfolded and ticked is there again after a look at lines":
    async (
      t,
      scenario,
    ) => {
      const labels = {
        namespace: `ns-${scenario.app}`,
        pod: `pod-${scenario.app}`,
        container: "c",
      };
      await push(scenario, [{ line: "it broke", level: "error" }], labels);
      const address = addressOf(scenario.server.baseUrl, { page: "kubernetes" });
      const driver = await openPage(t, address);
      const { page } = driver;
      await page.locator(".tree .fold", { hasText: labels.namespace }).click();
      await page.locator(".tree-workload .fold", { hasText: scenario.app }).click();
      await page.check(`[aria-label="Choose ${labels.pod}"]`);
      await page.locator('th button:text-is("Errors")').click();
      await page.fill(".place .find", scenario.app);
      await page.click(`[aria-label="Lines of ${labels.pod}"]`);
      await driver.settled();
      t.equal(parameter(driver, "find"), null, "what was looked for there is no part of a query");
      await page.goBack();
      t.ok(await page.isChecked(`[aria-label="Choose ${labels.pod}"]`));
      t.equal(await page.getAttribute("th:nth-child(3)", "aria-sort"), "descending");
      t.equal(await page.inputValue(".place .find"), scenario.app);
      await page.fill(".place .find", "");
      await page.locator(`[aria-label="Choose ${labels.pod}"]`).waitFor();
      await page.fill(".place .find", "no such pod");
      await page.reload();
      await page.locator("text=Nothing has this in its name").waitFor();
    },

  "operations: what the server holds, settings": async (t, scenario) => {
    await push(scenario, [{ line: "x" }]);
    const driver = await openPage(t, addressOf(scenario.server.baseUrl, { page: "operations" }));
    const { page } = driver;
    await page.locator(".figures dt", { hasText: "Lines in the range" }).waitFor();
    await page.locator(".bars-list code", { hasText: scenario.app }).waitFor();
    await page.locator(".bars-list code", { hasText: /^app$/ }).waitFor();
    await page.locator("text=None at present").waitFor();
    await page.locator('[aria-label="Cluster"]', { hasText: "All is well" }).waitFor();
    t.match(await page.innerText('[aria-label="Partitions"]'), /Partition\s+Owner/);
    await page.locator('[aria-label="Alerts and rules"] summary', { hasText: "How to add" })
      .waitFor();
    await page.fill('[aria-label="Find a setting"]', "max_line_size");
    t.match(await page.innerText(".settings"), /^\s*max_line_size/);
  },
};

t.before(() => browserFor(t));
onServer(settingsWithoutLimits, scenarios, { on: "deno" });
