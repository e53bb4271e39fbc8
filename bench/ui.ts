/** Measures the page in Chromium against a real server: size, start, first rows, a long scan, scrolling, millions of rows, long
 *  lines, live tail. `node bench/ui.ts [--scale=0.1] [--millions=2] [--tail-seconds=20] [--tail-rates=10000,20000]
 *  [--only=start,rows,scan,scroll,millions,long,tail]` prints a Markdown table. Chromium draws in software here, and a frame or a
 *  task that is late may be late for the machine: so the time for which a task computes is said beside how long it lasted. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../src/testing/browser.ts";
import { PushClient } from "../src/testing/pushClient.ts";
import { ServerProcess, settingsWithoutLimits } from "../src/testing/serverProcess.ts";
import { cachedCorpus, scaleFrom } from "./corpus.ts";
import { measureIngest } from "./ingest.ts";
import { measureMillions } from "./uiMillions.ts";
import {
  describe,
  heapMegabytes,
  longestWork,
  newPage,
  p,
  readWatch,
  watch,
  type Watched,
} from "./uiWatch.ts";

const rows: [what: string, figure: string, goal: string][] = [];
/** Says a figure at once as well: a run that ends early has then not been in vain. */
function note(row: (typeof rows)[number]): void {
  rows.push(row);
  console.error(row.join(" | "));
}

const parameters = process.argv.slice(2);
const option = (name: string, otherwise: number) =>
  Number(parameters.find((each) => each.startsWith(`--${name}=`))?.split("=")[1] ?? otherwise);

function measureSize(): void {
  const folder = fileURLToPath(new URL("../ui/dist", import.meta.url));
  const html = readFileSync(`${folder}/index.html`, "utf8");
  const inline = gzipSync(/<script>([^]*?)<\/script>/.exec(html)?.[1] ?? "").length;
  let first = inline;
  let all = inline;
  for (const name of readdirSync(`${folder}/assets`)) {
    if (!name.endsWith(".js")) continue;
    const bytes = gzipSync(readFileSync(`${folder}/assets/${name}`)).length;
    all += bytes;
    if (html.includes(name)) first += bytes;
  }
  note(["JavaScript of the first load, gzip", `${(first / 1000).toFixed(1)} kB`, "60 kB"]);
  note(["all JavaScript, gzip", `${(all / 1000).toFixed(1)} kB`, "220 kB"]);
}

async function measureStart(browser: Browser, base: string, query: string): Promise<void> {
  const first: number[] = [];
  const painted: number[] = [];
  for (let i = 0; i < 15; i++) {
    const page = await newPage(browser);
    await page.addInitScript(noteFirstCall);
    await page.goto(`${base}/?${range}&q=${encodeURIComponent(query)}`);
    await page.waitForSelector(".log");
    first.push(
      await page.evaluate<number>(
        `globalThis.firstCall - performance.getEntriesByType("navigation")[0].responseEnd`,
      ),
    );
    painted.push(
      await page.evaluate<number>(
        `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0`,
      ),
    );
    await page.context().close();
  }
  note(["HTML to first API call, p50", `${p(first, 0.5).toFixed(0)} ms`, "60 ms"]);
  note(["first contentful paint, p50", `${p(painted, 0.5).toFixed(0)} ms`, "200 ms"]);
}

/** A scan that no filter cuts short: how often the page says how far it is. */
async function measureLongScan(browser: Browser, base: string): Promise<void> {
  const page = await newPage(browser);
  const query = '{app=~".+"} | line_format "{{.app}} {{__line__}}" |= "no line says this"';
  await page.addInitScript(`(() => {
    globalThis.updates = [];
    const look = () => {
      const text = document.querySelector('main[aria-busy="true"] .status')?.textContent ?? "";
      if (/\\d %/.test(text) && text !== globalThis.lastStatus) {
        globalThis.lastStatus = text;
        globalThis.updates.push(performance.now());
      }
      requestAnimationFrame(look);
    };
    look();
  })()`);
  await page.goto(`${base}/?volume=0&${range}&q=${encodeURIComponent(query)}`);
  const started = performance.now();
  await page.waitForSelector('main[aria-busy="false"]');
  const seconds = (performance.now() - started) / 1000;
  const updates = await page.evaluate<number[]>("globalThis.updates");
  const gaps = updates.slice(1).map((at, i) => at - (updates[i] ?? 0));
  await page.context().close();
  note([
    `a scan of ${seconds.toFixed(1)} s: updates of its progress; longest time between two`,
    `${(updates.length / seconds).toFixed(1)} a second; ${Math.max(...gaps).toFixed(0)} ms`,
    "2 a second",
  ]);
}

/** What it costs to draw and scroll lines of 12 kB, and lines of 200 bytes. */
async function measureLongLines(browser: Browser, server: ServerProcess): Promise<void> {
  const push = new PushClient(server.baseUrl);
  const costs: number[] = [];
  const now = BigInt(Date.now()) * 1_000_000n;
  for (const bytes of [200, 12_000]) {
    const app = `long-lines-${bytes}`;
    const filler = JSON.stringify({ a: "lorem ipsum ".repeat(6), b: [1, 2, 3], c: { d: true } });
    const line = (i: number) =>
      `{"level":"info","i":${i},"body":[${
        Array.from({ length: Math.ceil((bytes - 40) / filler.length) }, () => filler).join(",")
      }]}`;
    for (let from = 0; from < 1000; from += 250) {
      const entries = Array.from({ length: 250 }, (_, i) => ({
        timestamp: now + BigInt(from + i),
        line: line(from + i),
      }));
      await push.push([{ labels: `{app="${app}"}`, entries }]);
    }
    const page = await newPage(browser);
    await page.goto(
      `${server.baseUrl}/?volume=0&q=${encodeURIComponent(`{app="${app}"} |= "or"`)}`,
    );
    await page.waitForSelector('main[aria-busy="false"] .log');
    await page.waitForTimeout(1500);
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    const taskSeconds = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")?.value ?? NaN;
    };
    const before = await taskSeconds();
    await page.evaluate(scrollThrough);
    costs.push((await taskSeconds() - before) / 200 * 1000);
    await page.context().close();
  }
  push.close();
  note([
    "a frame of scrolling lines of 200 bytes / of 12 kB, highlighted: work of the page",
    `${costs.map((each) => each.toFixed(1)).join(" / ")} ms`,
    "equal",
  ]);
}

/** 200 frames, each with rows that were not there before. */
const scrollThrough = `(async () => {
  const list = document.querySelector(".list");
  for (let i = 0; i < 200; i++) {
    list.scrollTop = list.scrollHeight * ((i * 37) % 200) / 200 * 0.9;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
})()`;

/** Notes when the page first asks the server for data, by its own clock. */
const noteFirstCall = `(() => {
  const note = (url) => {
    if (/query_range|api\\/v1\\/(query|labels)/.test(String(url))) globalThis.firstCall ??= performance.now();
  };
  const Socket = WebSocket;
  globalThis.WebSocket = class extends Socket {
    constructor(url, ...rest) {
      note(url);
      super(url, ...rest);
    }
  };
  const send = fetch;
  globalThis.fetch = (input, init) => {
    note(input?.url ?? input);
    return send(input, init);
  };
})()`;

async function measureFirstRows(
  browser: Browser,
  base: string,
  queries: readonly string[],
): Promise<void> {
  const page = await newPage(browser);
  await page.goto(`${base}/?volume=0&${range}`);
  await page.waitForSelector(".editor #query");
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    for (const query of queries) {
      await page.locator("#query").click();
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.press("Delete");
      await page.keyboard.insertText(query);
      // From the key press to the frame after the status changed, in the page's own clock.
      await page.evaluate(`(() => {
        globalThis.firstRows = new Promise((resolve) => {
          let started = 0;
          addEventListener("keydown", () => started = performance.now(), { capture: true, once: true });
          const look = () => {
            const list = document.querySelector(".list:not(.stale) .log");
            const isNew = started > 0 && new URLSearchParams(location.search).get("q") === ${
        JSON.stringify(query)
      };
            if (isNew && list !== null) return requestAnimationFrame(() => resolve(performance.now() - started));
            requestAnimationFrame(look);
          };
          look();
        });
      })()`);
      await page.keyboard.press("Control+Enter");
      times.push(await page.evaluate<number>("globalThis.firstRows"));
      await page.waitForSelector('main[aria-busy="false"]');
    }
  }
  await page.context().close();
  note([
    `Enter to first rows, p50 of ${times.length}`,
    `${p(times, 0.5).toFixed(0)} ms`,
    "300 ms",
  ]);
  note(["Enter to first rows, p95", `${p(times, 0.95).toFixed(0)} ms`, "1000 ms"]);
}

async function measureScrolling(browser: Browser, base: string, query: string): Promise<void> {
  const page = await newPage(browser);
  await page.goto(`${base}/?volume=0&${range}&q=${encodeURIComponent(query)}`);
  await page.waitForSelector(".log");
  const loaded = await page.evaluate<number>(`(async () => {
    const list = document.querySelector(".list");
    const rows = () => Number(list.getAttribute("aria-rowcount"));
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    for (let still = 0; rows() < 100_000 && still < 100;) {
      const before = rows();
      list.scrollTop = list.scrollHeight;
      await wait(30);
      still = rows() === before ? still + 1 : 0;
    }
    return rows();
  })()`);
  await page.evaluate(watch);
  const work = await longestWork(browser, page, () => page.evaluate(scrollAbout));
  const watched = await page.evaluate<Watched>(readWatch);
  await page.context().close();
  note([
    `scrolling ${loaded.toLocaleString("en")} loaded rows`,
    describe(watched, work),
    "60 fps, 0 tasks",
  ]);
}

/** 240 jumps, and on from each for two frames. */
const scrollAbout = `(async () => {
  const list = document.querySelector(".list");
  for (let i = 0; i < 240; i++) {
    list.scrollTop = list.scrollHeight * ((i * 37) % 240) / 240 * 0.9;
    for (let j = 0; j < 2; j++) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      list.scrollTop += 220;
    }
  }
})()`;

async function measureTail(
  browser: Browser,
  server: ServerProcess,
  rate: number,
  seconds: number,
): Promise<void> {
  const page = await newPage(browser);
  const app = `ui-tail-${rate}`;
  const push = new PushClient(server.baseUrl, { connectionsMax: 8 });
  const line = (i: number, at: number) => ({
    timestamp: BigInt(Math.floor(at)) * 1_000_000n + BigInt(i % 1_000_000),
    line: `line ${i} sent=${
      Math.floor(at)
    } level=info msg="request completed" path=/api/orders/${i} status=200 took=12ms`,
  });
  await push.push([{ labels: `{app="${app}"}`, entries: [line(0, Date.now())] }]);
  await page.goto(`${server.baseUrl}/?live=1&q=${encodeURIComponent(`{app="${app}"}`)}`);
  await page.waitForSelector(".state-following");
  await page.waitForSelector(".editor");
  await page.evaluate(watch);
  // How old the newest line on the screen is, a frame after it was drawn.
  await page.evaluate(`(() => {
    globalThis.ages = [];
    let last = "";
    const look = () => {
      const texts = document.querySelectorAll(".log .text");
      const text = texts[texts.length - 1]?.textContent ?? "";
      if (text !== last) {
        last = text;
        globalThis.ages.push(Date.now() - Number(/sent=(\\d+)/.exec(text)?.[1]));
      }
      if (globalThis.watched.running) requestAnimationFrame(look);
    };
    look();
  })()`);
  const send = (seconds: number, from = 0) =>
    pushAtRate(push, `{app="${app}"}`, rate, seconds, (i, at) => line(from + i, at));
  let sent: number;
  let work: number | undefined;
  const heaps: number[] = [];
  if (seconds > 60) {
    // A long trace would fill the memory.
    sent = await send(60);
    heaps.push(await heapMegabytes(page));
    sent += await send(seconds - 60, sent);
  } else {
    sent = 0;
    work = await longestWork(browser, page, async () => void (sent = await send(seconds)));
  }
  const counts = await settledCounts(page);
  const watched = await page.evaluate<Watched>(readWatch);
  const ages = await page.evaluate<number[]>("globalThis.ages");
  heaps.push(await heapMegabytes(page));
  await page.context().close();
  push.close();
  const name = `tail of ${rate.toLocaleString("en")} lines/s for ${seconds} s`;
  note([name, describe(watched, work), "60 fps, 0 tasks"]);
  note([`${name}: received of sent`, `${counts} of ${sent.toLocaleString("en")}`, "all"]);
  note([
    `${name}: age of the newest line drawn, p50 / p99`,
    `${p(ages, 0.5)} / ${p(ages, 0.99)} ms`,
    "p99 100 ms",
  ]);
  const megabytes = heaps.map((each) => `${each.toFixed(0)} MB`).join(" after a minute, ");
  note([`${name}: heap after collection`, megabytes, "60 MB"]);
}

/** What the page says of lines that came and that did not, once it says the same for three seconds. */
async function settledCounts(page: Page): Promise<string> {
  for (let before = "";;) {
    const status = await page.innerText(".status");
    const [, received = "?"] = /([\d,]+) received/.exec(status) ?? [];
    const [leftOut] = /[\d,]+ left out by server/.exec(status) ?? [];
    const counts = leftOut === undefined ? received : `${received}, ${leftOut},`;
    if (counts === before) return counts;
    before = counts;
    await page.waitForTimeout(3000);
  }
}

/** Pushes lines, 50 times a second, whether or not the last push is answered; gives how many. */
async function pushAtRate(
  push: PushClient,
  labels: string,
  rate: number,
  seconds: number,
  line: (i: number, at: number) => { readonly timestamp: bigint; readonly line: string },
): Promise<number> {
  const perPush = Math.round(rate / 50);
  const startedAt = performance.now();
  let sent = 0;
  const pending: Promise<void>[] = [];
  for (let i = 0; i < seconds * 50; i++) {
    const due = startedAt + i * 20 - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
    const at = Date.now();
    const entries = Array.from({ length: perPush }, (_, j) => line(1 + sent + j, at));
    sent += perPush;
    pending.push(push.push([{ labels, entries }]));
  }
  await Promise.all(pending);
  return sent;
}

const text = (name: string, otherwise: string) =>
  parameters.find((each) => each.startsWith(`--${name}=`))?.split("=")[1] ?? otherwise;
const only = text("only", "").split(",").filter((each) => each !== "");
const wants = (part: string) => only.length === 0 || only.includes(part);
const rates = text("tail-rates", "10000,20000").split(",").map(Number);
const corpus = await cachedCorpus(scaleFrom(parameters));
const { startNs, endNs } = corpus.facts;
/** The corpus' time, as the page's address says it. */
const range = `from=${startNs}&to=${endNs}`;
const server = await ServerProcess.start({ runtime: "deno", settings: settingsWithoutLimits });
const browser = await launchChromium();
try {
  measureSize();
  if (only.some((part) => !["millions", "long", "tail"].includes(part)) || only.length === 0) {
    const ingest = await measureIngest(server, corpus);
    console.error(`${(ingest.lineBytes / 1e6).toFixed(0)} MB stored`);
  }
  const values = await (await fetch(
    `${server.baseUrl}/loki/api/v1/label/app/values?start=${startNs}&end=${endNs}`,
  ))
    .json() as { data?: string[] };
  const apps = (values.data ?? []).slice(0, 4).map((app) => `{app="${app}"}`);
  if (wants("start")) await measureStart(browser, server.baseUrl, apps[0] ?? "");
  if (wants("rows")) {
    await measureFirstRows(browser, server.baseUrl, [
      ...apps,
      ...apps.map((each) => `${each} != "error"`),
    ]);
  }
  if (wants("scan")) await measureLongScan(browser, server.baseUrl);
  if (wants("scroll")) await measureScrolling(browser, server.baseUrl, apps[0] ?? "");
  if (wants("millions")) {
    for (const row of await measureMillions(browser, server, option("millions", 2))) note(row);
  }
  if (wants("long")) await measureLongLines(browser, server);
  for (const rate of wants("tail") ? rates : []) {
    await measureTail(browser, server, rate, option("tail-seconds", 20));
  }
} finally {
  await browser.close();
  await server.remove();
}
console.log("| what | measured | goal |\n| --- | --- | --- |");
for (const cells of rows) console.log(`| ${cells.join(" | ")} |`);
