/** Where the page is used, in Chromium against real servers: below a path prefix or behind a proxy that changes it, with several
 *  tenants, on a phone; and what Operations says of alerts. */
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text as readText } from "node:stream/consumers";
import t, { type Test } from "tap";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";
import { ServerProcess, settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { addressOf, browserFor, openPage } from "./pageDriver.ts";
import { numbered, openQuery, parameter, push, selectorOf } from "./pageScenario.ts";

/** A proxy that shows a server below `prefix`, its pages with `change` made to them, and answers 404 to all else; gives its
 *  address. */
async function proxyBelow(
  t: Test,
  prefix: string,
  base: string,
  change?: (html: string) => string,
): Promise<string> {
  const target = new URL(base);
  const inner = (url = "/") => url.startsWith(prefix) ? `/${url.slice(prefix.length)}` : undefined;
  const server = createServer((incoming, outgoing) => {
    const path = inner(incoming.url);
    if (path === undefined) return void outgoing.writeHead(404).end("outside of the prefix");
    const forwarded = request(
      {
        host: target.hostname,
        port: target.port,
        path,
        method: incoming.method,
        headers: { ...incoming.headers, ...(change && { "accept-encoding": "identity" }) },
      },
      async (answer) => {
        const isChanged = change && answer.headers["content-type"]?.startsWith("text/html");
        const body = isChanged ? Buffer.from(change(await readText(answer))) : undefined;
        const length = body && { "content-length": body.length };
        outgoing.writeHead(answer.statusCode ?? 500, { ...answer.headers, ...length });
        if (body === undefined) answer.pipe(outgoing);
        else outgoing.end(body);
      },
    );
    incoming.pipe(forwarded);
  });
  server.on("upgrade", (incoming, socket) => {
    const path = inner(incoming.url);
    if (path === undefined) return void socket.destroy();
    const upstream = connect(Number(target.port), target.hostname, () => {
      const lines = [`GET ${path} HTTP/1.1`];
      for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
        lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
      }
      upstream.write(`${lines.join("\r\n")}\r\n\r\n`);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const each of [upstream, socket]) each.on("error", () => each.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`;
}

async function pushAs(base: string, tenant: string, line: string): Promise<void> {
  const values = [[`${BigInt(Date.now()) * 1_000_000n}`, line]];
  const response = await fetch(`${base}/loki/api/v1/push`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-scope-orgid": tenant },
    body: JSON.stringify({ streams: [{ stream: { app: "a" }, values }] }),
  });
  if (response.status !== 204) throw new Error(await response.text());
}

/** What a shell would send for the command shown: the body of its curl. */
function bodyOf(command: string): string {
  return /--data-binary '\n([^]*)'$/.exec(command)?.[1] ?? "";
}

const scenarios: Record<string, ScenarioBody> = {
  "below a path prefix: lines, volume, live, parts that load later": async (t, scenario) => {
    await push(scenario, numbered(20, "line"));
    const base = await proxyBelow(t, "/some/where/logs/", scenario.server.baseUrl);
    const driver = await openPage(t, addressOf(base, { q: selectorOf(scenario) }));
    const { page } = driver;
    const outside: string[] = [];
    page.on("request", (each) => each.url().startsWith(base) || outside.push(each.url()));
    page.on(
      "websocket",
      (each) => each.url().startsWith(base.replace("http", "ws")) || outside.push(each.url()),
    );
    await driver.settled();
    t.equal((await driver.drawnLines()).length, 20);
    await page.locator(".legend", { hasText: "20 lines" }).waitFor();
    await page.click(".live-button");
    await page.waitForSelector(".state-following");
    await push(scenario, [{ line: "came through the proxy", age: 0 }]);
    await driver.waitForLine("came through the proxy");
    for (const place of ["Kubernetes", "Operations", "Explore"]) {
      await page.locator(".places button", { hasText: place }).click();
    }
    await page.locator(".log").first().click();
    await page.reload();
    await page.waitForSelector(".drawer");
    t.strictSame(outside, []);
  },

  "where a proxy changes index.html the page works, and without its code it says so": async (
    t,
    scenario,
  ) => {
    await push(scenario, numbered(20, "line"));
    const base = await proxyBelow(
      t,
      "/",
      scenario.server.baseUrl,
      (html) => html.replace("<script>", "<script>/* looked at */"),
    );
    const address = addressOf(base, { q: selectorOf(scenario) });
    const expectedErrors = /Content Security Policy|ERR_FAILED/;
    const driver = await openPage(t, address, { expectedErrors });
    await driver.waitForCount(20);
    const { page } = driver;
    await page.route(/\/assets\/page-.*js/, (route) => route.abort());
    await page.goto(addressOf(scenario.server.baseUrl));
    await page.locator("text=could not be loaded whole").waitFor();
  },

  "several tenants: one is asked for, another is a word away, a link keeps it": async (t) => {
    const server = await ServerProcess.start({
      runtime: "deno",
      settings: { auth_enabled: "true" },
    });
    t.teardown(() => server.remove());
    await pushAs(server.baseUrl, "red", "of red");
    await pushAs(server.baseUrl, "blue", "of blue");
    const options = { expectedErrors: /status of 401|WebSocket/ };
    const driver = await openPage(t, addressOf(server.baseUrl), options);
    const { page } = driver;
    await page.locator(".empty", { hasText: "choose one at the top" }).waitFor();
    const choose = async (tenant: string) => {
      await page.fill('[aria-label="Tenant"]', tenant);
      await page.press('[aria-label="Tenant"]', "Enter");
    };
    await choose("red");
    await page.locator(".examples button").first().click();
    await driver.waitForLine("of red");
    t.strictSame(await driver.drawnLines(), ["of red"]);
    t.equal(parameter(driver, "tenant"), "red");
    await choose("blue");
    await driver.waitForLine("of blue");
    t.strictSame(await driver.drawnLines(), ["of blue"]);
    await page.click(".live-button");
    await page.waitForSelector(".state-following");
    await pushAs(server.baseUrl, "red", "of red, live");
    await pushAs(server.baseUrl, "blue", "of blue, live");
    await driver.waitForLine("of blue, live");
    t.strictSame(await driver.drawnLines(), ["of blue", "of blue, live"]);
    await page.goBack();
    await page.goBack();
    await driver.waitForLine("of red");
    t.equal(await page.inputValue('[aria-label="Tenant"]'), "red");
    const known = await page.locator("#tenants option").evaluateAll((all) =>
      all.map((each) => each.getAttribute("value"))
    );
    t.strictSame(known, ["blue", "red"], "those chosen here are offered");
  },

  "on a phone: lines wrap, labels and details fit, live is in reach": async (t, scenario) => {
    await push(scenario, [{ line: `start ${"word ".repeat(60)}end`, level: "error" }], {
      pod: "p",
    });
    const range = { from: "now-12h" };
    const driver = await openQuery(t, scenario, selectorOf(scenario), range, {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    });
    const { page } = driver;
    const box = await page.locator(".log").first().boundingBox();
    t.ok((box?.height ?? 0) > 60, "a long line is read without scrolling sideways");
    const width = () => page.evaluate("document.documentElement.scrollWidth");
    t.equal(await width(), 390);
    const bar = await page.locator(".topbar").boundingBox();
    t.ok((bar?.height ?? 100) < 90, `the bar has two rows, ${bar?.height} pixels`);
    await page.tap(".log .text");
    await page.locator(".drawer").waitFor();
    t.equal(await width(), 390);
    await page.tap('[aria-label="Close details"]');
    await page.tap('[title="Labels and fields (b)"]');
    await driver.tick("pod", "p");
    t.equal(parameter(driver, "q"), `{app="${scenario.app}", pod="p"}`);
    t.equal(await width(), 390);
    await page.tap(".live-button");
    await page.waitForSelector(".state-following");
    for (const target of await page.locator(".topbar button, .querybar button").all()) {
      const size = await target.boundingBox();
      if (size !== null) t.ok(size.height >= 24 && size.width >= 24, "large enough for a finger");
    }
  },

  "on a phone: what has no button there is in a menu": async (t, scenario) => {
    await push(scenario, [{ line: "a line" }]);
    const query = `{app="${scenario.app}"}|="line"!="none"`;
    const driver = await openQuery(t, scenario, query, {}, {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    });
    const { page } = driver;
    const choose = async (words: string) => {
      await page.tap('[aria-label="More"]');
      const choice = page.locator(".topbar .menu button", { hasText: words });
      t.ok(((await choice.boundingBox())?.height ?? 0) >= 24, `${words} is large enough`);
      await choice.tap();
    };
    await choose("Format");
    await page.locator(".editor .cm-line", { hasText: '} |= "line" != "none"' }).waitFor();
    await choose("Theme: auto");
    t.equal(await page.getAttribute("html", "data-theme"), "light");
    await page.tap(".topbar .menu button >> text=Theme: light");
    t.equal(await page.getAttribute("html", "data-theme"), "dark");
    await page.touchscreen.tap(195, 700);
    t.equal(await page.locator(".topbar .menu").count(), 0, "a tap elsewhere folds it");
    await choose("Explain");
    await page.waitForSelector("dialog[open] li");
    t.equal(await page.evaluate("document.documentElement.scrollWidth"), 390);
  },

  "alerts and rules: the command shown adds some; what fires is said, its query is a click away":
    async (
      t,
      scenario,
    ) => {
      await push(scenario, [{ line: "broke", level: "error" }, { line: "broke", level: "error" }]);
      const driver = await openPage(t, addressOf(scenario.server.baseUrl, { page: "operations" }));
      const { page } = driver;
      const card = page.locator('[aria-label="Alerts and rules"]');
      await card.locator("summary").click();
      const command = await card.locator("pre").innerText();
      const add = async (body: string) => {
        const reply = await fetch(`${scenario.server.baseUrl}/loki/api/v1/rules/team`, {
          method: "POST",
          headers: { "content-type": "application/yaml" },
          body,
        });
        t.equal(reply.status, 202, await reply.text());
      };
      t.match(command, `${scenario.server.baseUrl}/loki/api/v1/rules/team`);
      await add(bodyOf(command));
      await card.locator("tbody tr", { hasText: "ManyErrors" }).waitFor();
      const count = `sum by (app) (count_over_time(${selectorOf(scenario)}[1h]))`;
      await add(`name: quick
interval: 200ms
rules:
  - alert: Broken
    expr: ${count} > 1
    labels: { severity: page }
    annotations: { summary: "it is broken" }
`);
      await card.locator(".alert", { hasText: "Broken" }).waitFor();
      const alert = await card.locator(".alert").first().innerText();
      t.match(alert, new RegExp(`firing.*Broken.*app=${scenario.app}.*it is broken`, "s"));
      t.match(await card.innerText(), /team \/ quick\s+every 200 ms/);
      const rule = card.locator('[aria-label="Rules of quick"] tbody tr').first();
      t.match(await rule.innerText(), /firing\s+Broken[^]*\d\d:\d\d:\d\d/);
      await card.locator('[aria-label="Rules of quick"] .rule-query button').first().click();
      await driver.settled();
      t.equal(parameter(driver, "q"), `${count} > 1`);
    },
};

t.before(() => browserFor(t));
onServer(settingsWithoutLimits, scenarios, { on: "deno" });
