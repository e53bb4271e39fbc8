/** What users of other log viewers complain of, one test each, in Chromium against the real server: lines that go missing, limits
 *  that are not said, long lines that freeze, clicks that are no selections, state that no link carries, requests that repeat.
 *  Lost connections are misbehaviour.test.ts's, equal timestamps and deep paging page.test.ts's. */
import t, { type Test } from "tap";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { addressOf, browserFor, openPage, type PageDriver } from "./pageDriver.ts";
import { numbered, openQuery, parameter, push, selectorOf, textsOf } from "./pageScenario.ts";

/** Selects the first `count` characters of a row's text with the mouse, as a person does. */
async function selectText(driver: PageDriver, row: number, count: number): Promise<string> {
  const box = await driver.page.locator(".log .text").nth(row).boundingBox();
  const characterPixels = await driver.page.evaluate<number>(`(() => {
    const range = document.createRange();
    range.selectNodeContents(document.querySelector(".log .text"));
    return range.getBoundingClientRect().width / document.querySelector(".log .text").textContent.length;
  })()`);
  const { x, y, height } = box ?? { x: 0, y: 0, height: 0 };
  await driver.page.mouse.move(x + 1, y + height / 2);
  await driver.page.mouse.down();
  await driver.page.mouse.move(x + count * characterPixels, y + height / 2, { steps: 4 });
  await driver.page.mouse.up();
  return await driver.page.evaluate<string>("getSelection().toString()");
}

/** Paths of the requests and sockets that an action causes. */
async function requestsOf(driver: PageDriver, act: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  const note = (each: { url(): string }) => seen.push(new URL(each.url()).pathname);
  driver.page.on("request", note);
  driver.page.on("websocket", note);
  await act();
  await driver.page.waitForTimeout(300);
  driver.page.off("request", note);
  driver.page.off("websocket", note);
  // Chromium asks for the icon again whenever the address changes.
  return seen.filter((path) => /^\/(loki|tailrace)\//.test(path));
}

const follow = async (t: Test, scenario: Scenario, query = selectorOf(scenario)) => {
  const driver = await openPage(
    t,
    addressOf(scenario.server.baseUrl, { q: query, live: "1" }),
  );
  await driver.page.waitForSelector(".state-following");
  return driver;
};

const scenarios: Record<string, ScenarioBody> = {
  "text can be selected without opening anything, and filtered by": async (t, scenario) => {
    await push(scenario, [{ line: "timeout talking to bank" }, { line: "order placed" }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    const text = await selectText(driver, 1, 7);
    t.equal(text, "timeout");
    t.equal(await page.locator(".drawer").count(), 0, "no details");
    await page.locator(".selection-bar button", { hasText: "Without" }).click();
    await driver.waitForCount(1);
    t.equal(parameter(driver, "q"), `${selectorOf(scenario)} != "timeout"`);
    t.equal(await selectText(driver, 0, 5), "order");
    await page.locator(".selection-bar button", { hasText: "Only with" }).click();
    await driver.settled();
    t.equal(parameter(driver, "q"), `${selectorOf(scenario)} |= "order" != "timeout"`);
    await page.locator(".log .text").first().click();
    await page.locator(".drawer").waitFor();
  },

  "a line of 19 MB and many of 12 kB draw no more than is seen": async (t, scenario) => {
    const json = (bytes: number) =>
      `{"level":"info","body":"${"lorem ipsum ".repeat(Math.ceil(bytes / 12))}"}`;
    await push(scenario, Array.from({ length: 99 }, () => ({ line: json(12_000) })));
    await push(scenario, [{ line: json(19_000_000), age: 30 }]);
    const driver = await openQuery(t, scenario, `${selectorOf(scenario)} |~ "lorem|ipsum"`);
    const { page } = driver;
    const drawnCharacters = () =>
      page.evaluate<number>(`document.querySelector(".list").textContent.length`);
    t.match(await page.innerText(".log .more >> nth=0"), /\+19 MB/);
    const rows = await page.locator(".log").count();
    t.ok(rows > 20 && await drawnCharacters() < rows * 600, "one line each");
    t.ok(await page.locator(".log .mark").count() < rows * 60, "and marks in what is seen alone");
    await page.locator("#query").blur();
    await page.keyboard.press("w");
    await page.locator(".list.wrap").waitFor();
    t.ok(await drawnCharacters() < await page.locator(".log").count() * 2400, "also wrapped");
    await page.keyboard.press("p");
    await page.locator(".log .text").first().click();
    t.equal((await page.innerText(".drawer .line")).length, 65_536, "opened, a page of it");
  },

  "limits are always said": async (t, scenario) => {
    await push(scenario, numbered(1500, "line"));
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    t.match(await driver.statusText(), /1,000\+ lines.*newest first,.*up to \d\d:\d\d:\d\d/s);
    await page.locator(".log").first().click();
    await page.keyboard.press("G");
    await page.locator(".count", { hasText: /^1,500 lines$/ }).waitFor();
    await page.keyboard.press("G");
    t.match(await page.innerText(".list-end"), /Start of the range/);
    await push(scenario, numbered(9000, "more"));
    await page.keyboard.press("r");
    await page.locator(".segments.small button", { hasText: "Patterns" }).click();
    await page.locator(".patterns .hint", { hasText: "The newest 10,000 lines, not the whole" })
      .waitFor();
  },

  "of a fast tail every line is in the list, or said to be left out": async (t, scenario) => {
    const driver = await follow(t, scenario);
    const lines = numbered(6000, "fast");
    await push(scenario, lines.map((each) => ({ ...each, age: 0 })));
    const { page } = driver;
    const counts = async () => {
      const text = (await driver.statusText()).replaceAll(",", "");
      const number = (words: string) => Number(new RegExp(`(\\d+) ${words}`).exec(text)?.[1] ?? 0);
      return { received: number("received"), leftOut: number("left out by server") };
    };
    for (;;) {
      const { received, leftOut } = await counts();
      if (received + leftOut === lines.length) break;
      await page.waitForTimeout(50);
    }
    await page.keyboard.press("Space");
    const shown = await driver.allLines();
    const { received } = await counts();
    t.equal(shown.length, received);
    t.equal(new Set(shown).size, shown.length, "none twice");
    const pushed = new Set(textsOf(lines));
    t.strictSame(shown.filter((line) => !pushed.has(line)), []);
  },

  "all that the server leaves out of a tail is counted and linked, not the named alone": async (
    t,
    scenario,
  ) => {
    await push(scenario, numbered(30, "line"));
    const driver = await openPage(t, "about:blank");
    const { page } = driver;
    let say = (_frame: unknown) => {};
    await page.routeWebSocket(/loki\/api\/v1\/tail/, (socket) => {
      socket.connectToServer();
      say = (frame) => socket.send(JSON.stringify(frame));
    });
    const query = { q: selectorOf(scenario), live: "1" };
    await page.goto(addressOf(scenario.server.baseUrl, query));
    await page.waitForSelector(".state-following");
    const [first, last] = ["1700000000000000000", "1700000060000000000"];
    say({
      streams: [],
      dropped_entries: [{ labels: {}, timestamp: first }],
      dropped: { count: 304_400, first, last },
    });
    await page.locator(".status", { hasText: "304,400 left out by server" }).waitFor();
    t.match(await page.innerText(".notice"), /left out 304,400 lines/);
    const href = await page.getAttribute(".notice a", "href");
    const range = new URL(href ?? "", page.url()).searchParams;
    t.equal(range.get("from"), "2023-11-14T22:13:20Z");
    t.equal(range.get("to"), "2023-11-14T22:14:20.000000001Z");
  },

  "a tail shows labels and fields, filters and marks, and holds still for it": async (
    t,
    scenario,
  ) => {
    await push(scenario, [{ line: "before" }], { room: "a" });
    const driver = await follow(t, scenario);
    const { page } = driver;
    await push(scenario, [{ line: "slow query took=12ms ok=true", age: 0 }], { room: "a" });
    await page.locator(".log", { hasText: "slow query" }).click();
    await page.locator(".state-paused").waitFor();
    t.match(await page.innerText(".drawer"), /room\s+a/);
    t.match(await page.innerText(".drawer"), /took\s+12ms/);
    await page.fill("#find", "QUERY");
    await page.locator(".log .mark", { hasText: "query" }).waitFor();
    // Text that only marks changes no query; a filter does, and the tail goes on with it.
    t.equal(parameter(driver, "q"), selectorOf(scenario));
    await page.waitForSelector(".editor #query");
    await driver.writeQuery(`${selectorOf(scenario)} |= "wanted"`);
    await page.keyboard.press("Control+Enter");
    await page.waitForSelector(".state-following");
    await push(scenario, [{ line: "other", age: 0 }, { line: "the wanted one", age: 0 }]);
    await driver.waitForLine("the wanted one");
    t.strictSame(await driver.drawnLines(), ["the wanted one"]);
    t.equal(await page.innerText(".log .mark"), "wanted");
    await page.keyboard.press("Escape");
    await page.locator("#query").blur();
    await page.keyboard.press("Home");
    await page.locator(".log.selected", { hasText: "the wanted one" }).waitFor();
  },

  "a connection that is cut loses and repeats no line": async (t, scenario) => {
    const context = await (await browserFor(t)).newContext({
      viewport: { width: 1300, height: 800 },
    });
    t.teardown(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(600_000);
    const cut: (() => Promise<void>)[] = [];
    // The page's own socket to the real server, with a hand on it.
    await page.routeWebSocket(/loki\/api\/v1\/tail/, (socket) => {
      socket.connectToServer();
      cut.push(() => socket.close({ code: 1011, reason: "cut by the test" }));
    });
    await page.goto(
      addressOf(scenario.server.baseUrl, { q: selectorOf(scenario), live: "1" }),
    );
    await page.waitForSelector(".state-following");
    const sent: string[] = [];
    const say = async (text: string) => {
      sent.push(text);
      await push(scenario, [{ line: text, age: 0 }]);
    };
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5; i++) await say(`live ${round} ${i}`);
      await page.locator(".log .text", { hasText: `live ${round} 4` }).waitFor();
      await cut.at(-1)?.();
      await page.locator(".status", { hasText: "cut by the test" }).waitFor();
      for (let i = 0; i < 5; i++) await say(`missed ${round} ${i}`);
      await page.locator(".log .text", { hasText: `missed ${round} 4` }).waitFor();
      await page.waitForSelector(".state-following");
    }
    await page.keyboard.press("Space");
    t.strictSame(await page.locator(".log .text").allInnerTexts(), sent);
  },

  "a link carries all that is seen": async (t, scenario) => {
    await push(scenario, [
      { line: '{"n":1}', level: "warn" },
      { line: "took 1 ms" },
      { line: "took 2 ms" },
    ], { pod: "p-1" });
    const driver = await openQuery(t, scenario, selectorOf(scenario), {
      order: "oldest",
      dedup: "numbers",
      columns: "pod,detected_level",
      tz: "Asia/Tokyo",
      wrap: "1",
      pretty: "1",
    });
    const look = (of: PageDriver) =>
      of.page.evaluate<string>(`document.querySelector(".list .canvas").innerText`);
    const shown = await look(driver);
    t.match(shown, /p-1.*warn.*"n": 1.*p-1.*×2.*took 1 ms/s);
    const other = await openPage(t, driver.page.url());
    await other.settled();
    t.equal(await look(other), shown);
  },

  "moments are read and shown in the zone that is chosen": async (t, scenario) => {
    const time = Date.UTC(2026, 0, 15, 12, 30, 15, 250);
    const entries = [{ timestamp: BigInt(time) * 1_000_000n, line: "then" }];
    await scenario.push.push([{ labels: selectorOf(scenario), entries }]);
    const range = { from: "2026-01-15 21:30:00", to: "2026-01-15 21:31:00", tz: "Asia/Tokyo" };
    const driver = await openQuery(t, scenario, selectorOf(scenario), range);
    t.strictSame(await driver.drawnLines(), ["then"]);
    t.equal(await driver.page.innerText(".log time"), "21:30:15.250");
    await driver.page.keyboard.press("Escape");
    await driver.page.click('[title="Time range (t)"]');
    t.equal(await driver.page.inputValue(".zone select"), "Asia/Tokyo");
    await driver.page.selectOption(".zone select", "utc");
    t.equal(await driver.page.innerText(".log time"), "12:30:15.250");
    t.equal(parameter(driver, "tz"), "utc");
  },

  "the query and the labels are asked for before the page's code has come": async (t, scenario) => {
    await push(scenario, numbered(30, "line"));
    const driver = await openPage(t, "about:blank");
    const { page } = driver;
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    await page.route(/\/assets\/page-/, async (route) => {
      await held;
      await route.continue();
    });
    const asked = Promise.all([
      page.waitForEvent("websocket", (socket) => socket.url().includes("/tailrace/api/v1/query?")),
      page.waitForRequest(/\/loki\/api\/v1\/labels\?/),
    ]);
    const query = `${selectorOf(scenario)} |= "line"`;
    await page.goto(addressOf(scenario.server.baseUrl, { q: query }), { waitUntil: "commit" });
    await asked;
    t.equal(await page.locator(".log").count(), 0);
    const later = await requestsOf(driver, async () => {
      release();
      await driver.waitForCount(30);
      await page.locator(".legend li").first().waitFor();
    });
    t.strictSame(later.sort(), ["/loki/api/v1/label/app/values", "/tailrace/api/v1/query"]);
  },

  "nothing is asked twice, and looking asks nothing": async (t, scenario) => {
    await push(scenario, numbered(30, "line"));
    const address = addressOf(scenario.server.baseUrl, { q: selectorOf(scenario) });
    const driver = await openPage(t, "about:blank");
    const { page } = driver;
    const first = await requestsOf(driver, async () => {
      await page.goto(address);
      await driver.settled();
      await page.locator(".legend").waitFor();
    });
    t.strictSame(first.sort(), [
      "/loki/api/v1/label/app/values",
      "/loki/api/v1/labels",
      "/tailrace/api/v1/query",
      "/tailrace/api/v1/query",
    ], "lines, volume, labels, and the values of the label in use");
    await page.waitForSelector(".editor #query");
    const later = await requestsOf(driver, async () => {
      await page.locator(".log").first().click();
      await page.keyboard.press("j");
      for (const key of ["w", "w", "p", "p", "v", "v", "Escape", "d", "d", "d"]) {
        await page.keyboard.press(key);
      }
      await page.hover(".bars");
    });
    t.strictSame(later, []);
    await page.evaluate(`(() => {
      globalThis.changes = 0;
      new MutationObserver((all) => globalThis.changes += all.length)
        .observe(document.querySelector(".list"), { subtree: true, childList: true, characterData: true });
    })()`);
    await page.mouse.move(600, 300);
    await page.mouse.move(600, 700, { steps: 20 });
    t.equal(
      await page.evaluate("globalThis.changes"),
      0,
      "nor does the pointer draw anything anew",
    );
    const patterns = await requestsOf(driver, async () => {
      for (let i = 0; i < 2; i++) {
        await page.locator(".segments.small button", { hasText: "Patterns" }).click();
        await page.locator(".patterns tbody tr").first().waitFor();
        await page.locator(".segments.small button", { hasText: "Lines" }).click();
      }
    });
    t.strictSame(patterns, ["/loki/api/v1/patterns"]);
  },

  "bars stand still from one look to the next": async (t, scenario) => {
    await push(
      scenario,
      Array.from({ length: 50 }, (_, i) => ({ line: `${i}`, age: 300 + 40 * i })),
    );
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const bars = () =>
      driver.page.locator(".bars table tr").evaluateAll((rows) =>
        rows.map((row) => row.textContent)
      );
    await driver.page.locator(".legend button").first().waitFor();
    const before = await bars();
    await driver.page.waitForTimeout(1100);
    await driver.page.click('[aria-label="Refresh"]');
    await driver.settled();
    await driver.page.locator(".histogram:not(.stale)").waitFor();
    t.strictSame(await bars(), before);
  },

  "a query longer than an address may be is answered": async (t, scenario) => {
    await push(scenario, [{ line: "needle" }, { line: "hay" }]);
    const others = Array.from({ length: 300 }, (_, i) => ` != "nothing ${i}"`).join("");
    const query = `${selectorOf(scenario)} |= "needle"${others}`;
    const driver = await openQuery(t, scenario, selectorOf(scenario), { volume: "0" });
    await driver.runQuery(query);
    await driver.waitForCount(1);
    t.strictSame(await driver.drawnLines(), ["needle"]);
  },

  "Ctrl+F finds in every loaded line, not in those drawn alone": async (t, scenario) => {
    await push(scenario, [{ line: "the hidden one" }, ...numbered(600, "line")]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { page } = driver;
    await page.keyboard.press("Control+f");
    await page.keyboard.type("HIDDEN");
    await page.keyboard.press("Enter");
    await page.locator(".log.selected", { hasText: "the hidden one" }).waitFor();
    t.equal(await page.innerText(".log .mark"), "hidden");
    await page.fill("#find", "line 11");
    await page.keyboard.press("Enter");
    await page.locator(".log.selected .text").filter({ hasText: /^line 119$/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".log.selected .text").filter({ hasText: /^line 118$/ }).waitFor();
    t.equal(parameter(driver, "q"), selectorOf(scenario), "no query was run");
  },

  "line and link can be copied": async (t, scenario) => {
    await push(scenario, [{ line: "copy me" }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario), {}, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    const { page } = driver;
    await page.locator(".log").first().click();
    const clipboard = () => page.evaluate<string>("navigator.clipboard.readText()");
    await page.getByRole("button", { name: "Line", exact: true }).click();
    await page.locator(".note", { hasText: "Copied" }).waitFor();
    t.equal(await clipboard(), "copy me");
    await page.getByRole("button", { name: "Link", exact: true }).click();
    await page.locator(".note", { hasText: "Copied the link" }).waitFor();
    const other = await openPage(t, await clipboard());
    await other.settled();
    t.equal(await other.page.innerText(".drawer .line"), "copy me");
    t.strictSame(await other.drawnLines(), ["copy me"]);
  },

  "a server that is gone is said, beside the last lines and labels": async (t, scenario) => {
    await push(scenario, [{ line: "the last known" }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario), {}, {
      expectedErrors: /ERR_|WebSocket/,
    });
    const { page } = driver;
    const labels = () => page.locator(".sidebar .labels").innerText();
    await page.locator(".values label").first().waitFor();
    const known = await labels();
    await page.context().setOffline(true);
    await page.routeWebSocket(/tailrace/, (socket) => socket.close());
    await page.click('[aria-label="Refresh"]');
    await page.locator("#query-problem p").waitFor();
    t.match(await page.innerText("#query-problem"), /No answer from|connection was lost/);
    t.strictSame(await driver.drawnLines(), ["the last known"]);
    t.match(await driver.statusText(), /last good results/);
    t.equal(await labels(), known);
    t.equal(await page.locator(".sidebar .problem").count(), 0, "and said once");
  },
};

t.before(() => browserFor(t));
onServer(
  {
    ...settingsWithoutLimits,
    "limits_config.max_line_size": "32MB",
    "distributor.max_recv_msg_size": "64MB",
  },
  scenarios,
  { on: "deno" },
);
