/** The page in Chromium against the real server: what was pushed is what is shown, and every control does what it says. Live mode
 *  under misbehaving connections is misbehaviour.test.ts's; rules without a browser are tested beside ui/src's files. */
import t, { type Test } from "tap";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { addressOf, browserFor, openPage, type PageDriver } from "./pageDriver.ts";

const second = 1_000_000_000n;
const present = () => BigInt(Date.now()) * 1_000_000n;
const badRequest = /status of 400/;

/** Pushes lines to one stream of the scenario, `step` nanoseconds apart, the first at `start`. */
async function pushLines(
  scenario: Scenario,
  lines: readonly string[],
  start: bigint,
  step = 1n,
  labels = "",
): Promise<void> {
  const entries = lines.map((line, i) => ({ timestamp: start + BigInt(i) * step, line }));
  await scenario.push.push([{ labels: `{app="${scenario.app}"${labels}}`, entries }]);
}

function numbered(count: number, word: string): string[] {
  return Array.from({ length: count }, (_, i) => `${word} ${i}`);
}

async function openQuery(
  t: Test,
  scenario: Scenario,
  query: string,
  more: Readonly<Record<string, string>> = {},
  options: Parameters<typeof openPage>[2] = {},
): Promise<PageDriver> {
  const driver = await openPage(
    t,
    addressOf(scenario.server.baseUrl, { q: query, ...more }),
    options,
  );
  await driver.settled();
  return driver;
}

const selectorOf = (scenario: Scenario) => `{app="${scenario.app}"}`;

/** What a shell would run for the command shown: the arguments of its curl. */
async function curlArguments(command: string): Promise<string[]> {
  const { execFileSync } = await import("node:child_process");
  const script = `curl() { for a; do printf '%s\\0' "$a"; done; }\n${command}`;
  return execFileSync("sh", ["-c", script]).toString().split("\0").slice(0, -1);
}

const scenarios: Record<string, ScenarioBody> = {
  "first run: the command shown brings the first line to the page by itself": async (
    t,
    scenario,
  ) => {
    const driver = await openPage(t, addressOf(scenario.server.baseUrl));
    const command = await driver.page.innerText(".snippet pre");
    const argv = await curlArguments(command);
    const url = argv.find((each) => each.startsWith("http")) ?? "";
    const reply = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: argv[argv.indexOf("--data-raw") + 1] ?? "",
    });
    t.equal(reply.status, 204, await reply.text());
    await driver.page.locator(".examples button").first().click();
    await driver.waitForLine("hello from curl");
  },

  "rows are the lines pushed, newest first": async (t, scenario) => {
    const lines = numbered(700, "line");
    await pushLines(scenario, lines, scenario.now, 1_000_000n);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    t.strictSame(await driver.allLines(), lines.toReversed());
    t.match(await driver.statusText(), /700 lines/);
    t.equal(await driver.page.getAttribute(".list", "aria-rowcount"), "700");
    await driver.page.keyboard.press("w");
    t.equal(new URL(driver.page.url()).searchParams.get("wrap"), "1");
    t.strictSame(await driver.allLines(), lines.toReversed(), "wrapped as well");
  },

  "wrapping, the details and another width leave the lines looked at where they are": async (
    t,
    scenario,
  ) => {
    const lines = numbered(900, "line").map((line, i) =>
      `${line}: ${"long words ".repeat(i % 40)}`
    );
    await pushLines(scenario, lines, scenario.now, 1_000_000n);
    const { page } = await openQuery(t, scenario, selectorOf(scenario));
    const list = page.locator(".list");
    const number = (text: string | undefined) => /^line \d+/.exec(text ?? "")?.[0];
    /** The first rows in view: what they say and where they begin. */
    const inView = async () => {
      await page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
      );
      const rows = await list.evaluate((element) => {
        const top = element.getBoundingClientRect().top;
        return [...element.querySelectorAll(".log")].map((row) => ({
          text: row.querySelector(".text")?.textContent ?? "",
          top: Math.round(row.getBoundingClientRect().top - top),
          isOpen: row.classList.contains("open"),
        }));
      });
      return rows.filter(({ top }) => top >= -1).sort((a, b) => a.top - b.top);
    };
    await list.evaluate((element) => element.scrollTop = 400 * 20);
    const [first] = await inView();
    t.equal(number(first?.text), "line 499");
    for (const key of ["w", "w", "w"]) {
      await page.keyboard.press(key);
      const [now] = await inView();
      t.equal(number(now?.text), "line 499", "wrapped or not");
    }
    await page.setViewportSize({ width: 1000, height: 800 });
    t.equal(number((await inView())[0]?.text), "line 499", "narrower");
    const clicked = (await inView())[4];
    await page.locator(".log", { hasText: `${number(clicked?.text)}:` }).click();
    await page.locator(".drawer").waitFor();
    const opened = (await inView()).find(({ isOpen }) => isOpen);
    t.equal(number(opened?.text), number(clicked?.text));
    t.equal(opened?.top, clicked?.top, "the line stays under the pointer");
  },

  "a query that cannot be answered: of a mark is spoken where there is one": async (
    t,
    scenario,
  ) => {
    await pushLines(scenario, ["no JSON"], scenario.now);
    const selector = selectorOf(scenario);
    for (
      const [query, advice] of [
        [`sum by (x) (count_over_time(${selector} | json [5m]))`, "What to change is said above"],
        [`${selector} | jsn`, "the mark shows where"],
      ] as const
    ) {
      const { page } = await openQuery(t, scenario, query, {}, { expectedErrors: badRequest });
      await page.locator(".empty", { hasText: advice }).waitFor();
    }
  },

  "a line found far away is shown among those around it": async (t, scenario) => {
    const lines = numbered(900, "line");
    await pushLines(scenario, lines, scenario.now, 1_000_000n);
    const { page } = await openQuery(t, scenario, selectorOf(scenario));
    await page.keyboard.press("f");
    await page.keyboard.type("line 444");
    await page.keyboard.press("Enter");
    const found = page.locator(".log.selected");
    await found.waitFor();
    const [row, list] = [await found.boundingBox(), await page.locator(".list").boundingBox()];
    const share = ((row?.y ?? 0) - (list?.y ?? 0)) / (list?.height ?? 1);
    t.ok(share > 0.4 && share < 0.6, `at ${share} of the view`);
  },

  "labels write the query, and the query ticks the labels": async (t, scenario) => {
    await pushLines(scenario, ["from blue"], scenario.now, 1n, ', room="blue"');
    await pushLines(scenario, ["from green"], scenario.now + 1n, 1n, ', room="green"');
    await pushLines(scenario, ["from red"], scenario.now + 2n, 1n, ', room="red"');
    const driver = await openPage(t, addressOf(scenario.server.baseUrl));
    await driver.tick("app", scenario.app);
    t.equal(await driver.queryText(), selectorOf(scenario));
    t.strictSame(await driver.drawnLines(), ["from red", "from green", "from blue"]);
    await driver.tick("room", "blue");
    t.equal(await driver.queryText(), `{app="${scenario.app}", room="blue"}`);
    t.strictSame(await driver.drawnLines(), ["from blue"]);
    await driver.tick("room", "red");
    t.equal(await driver.queryText(), `{app="${scenario.app}", room=~"blue|red"}`);
    t.strictSame(await driver.drawnLines(), ["from red", "from blue"]);
    await driver.writeQuery(`{app="${scenario.app}", room="green"} |= "from"`);
    t.strictSame(
      [await driver.isTicked("blue"), await driver.isTicked("green"), await driver.isTicked("red")],
      [false, true, false],
      "in step with what is typed",
    );
    await driver.tick("room", "green");
    t.equal(await driver.queryText(), `{app="${scenario.app}"} |= "from"`);
  },

  "a typed filter is run with Enter": async (t, scenario) => {
    await pushLines(scenario, ["needle 1", "hay", "needle 2"], scenario.now);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    await driver.page.waitForSelector(".editor");
    await driver.page.keyboard.press("/");
    await driver.page.keyboard.press("End");
    await driver.page.keyboard.type(' |= "needle"');
    await driver.page.keyboard.press("Enter");
    await driver.settled();
    await driver.waitForCount(2);
    t.strictSame(await driver.drawnLines(), ["needle 2", "needle 1"]);
    t.equal(
      new URL(driver.page.url()).searchParams.get("q"),
      `${selectorOf(scenario)} |= "needle"`,
    );
  },

  "time range: presets, and moments to the nanosecond": async (t, scenario) => {
    const recent = present() - 600n * second;
    await pushLines(scenario, ["old"], present() - 3n * 3600n * second);
    await pushLines(scenario, ["a", "b", "c"], recent);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    t.strictSame(await driver.drawnLines(), ["c", "b", "a"], "the last hour");
    await driver.page.keyboard.press("t");
    await driver.page.click("text=Last 6 hours");
    await driver.waitForLine("old");
    t.strictSame(await driver.drawnLines(), ["c", "b", "a", "old"]);
    t.equal(new URL(driver.page.url()).searchParams.get("from"), "now-6h");
    await driver.page.keyboard.press("t");
    await driver.page.fill("input[name=from]", (recent + 1n).toString());
    await driver.page.fill("input[name=to]", (recent + 2n).toString());
    await driver.page.press("input[name=to]", "Enter");
    await driver.settled();
    t.strictSame(await driver.drawnLines(), ["b"], "start inclusive, end exclusive");
    await driver.page.keyboard.press("t");
    await driver.page.fill("input[name=from]", "noon");
    t.match(await driver.page.innerText(".range-panel .problem"), /"noon"/);
    t.ok(await driver.page.isDisabled("text=Apply"));
  },

  "what is typed but not run is run with a new range": async (t, scenario) => {
    await pushLines(scenario, ["keep 1", "drop", "keep 2"], scenario.now);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    await driver.writeQuery(`${selectorOf(scenario)} |= "keep"`);
    await driver.page.locator("#query").blur();
    await driver.page.keyboard.press("t");
    await driver.page.click("text=Last 3 hours");
    await driver.waitForCount(2);
    t.strictSame(await driver.drawnLines(), ["keep 2", "keep 1"]);
    t.match(await driver.page.title(), /keep/);
  },

  "a parse error is shown with its place, beside the last results": async (t, scenario) => {
    await pushLines(scenario, ["still here"], scenario.now);
    const driver = await openQuery(t, scenario, selectorOf(scenario), {}, {
      expectedErrors: badRequest,
    });
    const broken = `${selectorOf(scenario)} |= "x" | = "y"`;
    await driver.runQuery(broken);
    const message = await driver.page.innerText("#query-problem p");
    const column = Number(/line 1, col (\d+)/.exec(message)?.[1]);
    t.ok(column > selectorOf(scenario).length, message);
    t.equal(await driver.page.innerText(".marked mark"), broken[column - 1]);
    t.strictSame(await driver.drawnLines(), ["still here"]);
    await driver.page.click(".marked");
    await driver.page.keyboard.type("¦");
    t.equal(await driver.queryText(), `${broken.slice(0, column - 1)}¦${broken.slice(column - 1)}`);
    await driver.runQuery(selectorOf(scenario));
    // The editor looks at a text shortly after it has changed.
    await driver.page.locator("#query-problem p").waitFor({ state: "detached" });
  },

  "live: new lines come, pause holds, resume shows all": async (t, scenario) => {
    await pushLines(scenario, ["before"], present() - second);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    await driver.page.click(".live-button");
    await driver.page.waitForSelector(".state-following");
    const [first, held, last] = [numbered(40, "first"), numbered(30, "held"), numbered(20, "last")];
    await pushLines(scenario, first, present());
    await driver.waitForLine("first 39");
    await driver.page.keyboard.press("Space");
    await pushLines(scenario, held, present());
    await driver.page.locator("text=Resume (30 new)").waitFor();
    t.notOk((await driver.drawnLines()).some((line) => line.startsWith("held")));
    await driver.page.keyboard.press("Space");
    await driver.waitForLine("held 29");
    await pushLines(scenario, last, present());
    await driver.waitForLine("last 19");
    await driver.page.keyboard.press("Space");
    t.strictSame(await driver.allLines(), ["before", ...first, ...held, ...last]);
    await driver.page.click(".live-button");
    await driver.settled();
    t.strictSame(await driver.allLines(), ["before", ...first, ...held, ...last].toReversed());
  },

  "older pages lose nothing where timestamps are equal": async (t, scenario) => {
    const lines = numbered(2600, "row");
    const entries = lines.map((line, i) => ({
      timestamp: scenario.now + BigInt(Math.floor(i / 900)),
      line,
    }));
    await scenario.push.push([{ labels: selectorOf(scenario), entries }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    t.strictSame(await driver.allLines(), lines.toReversed());
    t.match(await driver.statusText(), /2,600 lines/);
  },

  "older pages come for who stays at the end": async (t, scenario) => {
    await pushLines(scenario, numbered(6000, "row"), scenario.now);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    // Each page's end is told after its rows were drawn.
    await driver.page.routeWebSocket(/api\/v1\/query/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => {
        const isEnd = String(message).includes('"type":"done"');
        setTimeout(() => socket.send(message), isEnd ? 200 : 0);
      });
      server.onClose(() => undefined);
    });
    await driver.page.evaluate(`(() => {
      const list = document.querySelector(".list");
      const toEnd = () => list.scrollTop = list.scrollHeight;
      new MutationObserver(toEnd).observe(list, { attributeFilter: ["aria-rowcount"] });
      toEnd();
    })()`);
    await driver.page.waitForSelector("text=Start of the range");
    t.match(await driver.statusText(), /6,000 lines/);
  },

  "hostile text is inert": async (t, scenario) => {
    const image = '<img src=x onerror="globalThis.hacked=1">';
    const script = "<script>globalThis.hacked=1</script>";
    const ansi = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202eevil";
    const large = `start ${"0123456789".repeat(100_000)} end`;
    await scenario.push.push([{
      labels: `{app="${scenario.app}", note="\\"><img src=x onerror=globalThis.hacked=1>"}`,
      entries: [image, script, ansi, large].map((line, i) => ({
        timestamp: scenario.now + BigInt(i),
        line,
      })),
    }]);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const drawn = await driver.drawnLines();
    t.strictSame(drawn.slice(2), [script, image].map((line) => line));
    t.equal(drawn[1], "red \u241b]0;title\u2407 \\u202eevil");
    t.ok(large.startsWith(drawn[0] ?? "?"), "of a long line its start is drawn");
    t.ok((drawn[0]?.length ?? 0) <= 400, "and no more than the row is wide");
    t.match(await driver.page.innerText(".log .more"), /1 MB/);
    await driver.page.locator(".log .text").first().click();
    t.equal((await driver.page.innerText(".drawer .line")).length, 65_536);
    await driver.page.click("text=/Show .* more/");
    t.equal((await driver.page.innerText(".drawer .line")).length, 2 * 65_536);
    await driver.page.keyboard.press("j");
    await driver.page.keyboard.press("j");
    t.equal(await driver.page.innerText(".drawer .line"), script);
    await driver.page.click('.fields .icon-button[aria-label="Only note = this"]');
    await driver.settled();
    t.equal((await driver.drawnLines()).length, 4, "a hostile label value filters like any other");
    t.equal(
      await driver.page.evaluate("document.querySelectorAll('#app img, #app script').length"),
      0,
    );
    t.equal(await driver.page.evaluate("globalThis.hacked"), undefined);
  },

  "details filter for and against, and the back button undoes": async (t, scenario) => {
    await pushLines(scenario, ["kept"], scenario.now, 1n, ', room="blue"');
    await pushLines(scenario, ["gone"], scenario.now + 1n, 1n, ', room="red"');
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    await driver.page.keyboard.press("j");
    await driver.page.keyboard.press("Enter");
    t.match(
      new URL(driver.page.url()).searchParams.get("entry"),
      new RegExp(`^${scenario.now + 1n}-`),
    );
    await driver.page.click('[aria-label="Not room = this"]');
    await driver.settled();
    t.equal(await driver.queryText(), `{app="${scenario.app}", room!="red"}`);
    t.strictSame(await driver.drawnLines(), ["kept"]);
    await driver.page.goBack();
    await driver.waitForCount(2);
    t.equal(await driver.queryText(), selectorOf(scenario));
    t.strictSame(await driver.drawnLines(), ["gone", "kept"]);
    await driver.page.goForward();
    await driver.waitForCount(1);
    t.strictSame(await driver.drawnLines(), ["kept"]);
  },

  "a link to an entry opens it": async (t, scenario) => {
    await pushLines(scenario, numbered(90, "line"), scenario.now);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    await driver.page.keyboard.press("G");
    await driver.page.locator(".log", { hasText: "line 17" }).click();
    const link = driver.page.url();
    t.match(await driver.page.innerText(".drawer .line"), "line 17");
    const other = await openPage(t, link);
    await other.settled();
    t.equal(await other.page.innerText(".drawer .line"), "line 17");
    await other.page.locator(".log.selected .text", { hasText: "line 17" }).waitFor();
    t.pass("and scrolls to it");
  },

  "keys": async (t, scenario) => {
    await pushLines(scenario, numbered(200, "line"), scenario.now);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    const { keyboard } = driver.page;
    const selects = async (line: string) => {
      await driver.page.locator(`.log.selected .text:text-is("${line}")`).waitFor();
      t.pass(`${line} is selected and in view`);
    };
    await keyboard.press("j");
    await selects("line 199");
    await keyboard.press("j");
    await keyboard.press("ArrowDown");
    await keyboard.press("k");
    await selects("line 198");
    await keyboard.press("G");
    await selects("line 0");
    await keyboard.press("Enter");
    t.equal(await driver.page.innerText(".drawer .line"), "line 0");
    await selects("line 0");
    await keyboard.press("Escape");
    await driver.page.waitForSelector(".drawer", { state: "detached" });
    await keyboard.press("?");
    await driver.page.waitForSelector("dialog.help");
    await keyboard.press("Escape");
    await driver.page.waitForSelector("dialog.help", { state: "hidden" });
    await keyboard.press("/");
    await keyboard.press("j");
    t.match(await driver.queryText(), /j/, "keys are text in the query box");
  },

  "an empty answer offers a longer range": async (t, scenario) => {
    await pushLines(scenario, ["five hours ago"], present() - 5n * 3600n * second);
    const driver = await openQuery(t, scenario, selectorOf(scenario));
    t.match(await driver.page.innerText(".empty"), /No lines match/);
    await driver.page.click(".empty .primary");
    await driver.waitForLine("five hours ago");
  },

  "light and dark, and the policy under which the page runs": async (t, scenario) => {
    const address = addressOf(scenario.server.baseUrl);
    const reply = await fetch(address);
    await reply.text();
    const policy = reply.headers.get("content-security-policy") ?? "";
    t.match(policy, /default-src 'self'/);
    t.notMatch(policy, /script-src[^;]*unsafe/);
    const brightness =
      "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)";
    const dark = await openPage(t, address, { colorScheme: "dark" });
    // Keys are listened to once the page is drawn, its colours are there before.
    await dark.settled();
    t.ok(Number(await dark.page.evaluate(brightness)) < 150);
    await dark.page.keyboard.press("d");
    t.ok(Number(await dark.page.evaluate(brightness)) > 600, "light by choice");
    await dark.page.reload();
    await dark.page.waitForSelector(".topbar");
    t.ok(Number(await dark.page.evaluate(brightness)) > 600, "and remembered");
    const light = await openPage(t, address, { colorScheme: "light" });
    t.ok(Number(await light.page.evaluate(brightness)) > 600);
  },
};

t.before(() => browserFor(t));
onServer({ ...settingsWithoutLimits, "limits_config.max_line_size": "4MB" }, scenarios, {
  on: "deno",
});
