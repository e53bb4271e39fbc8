/** Measures the page with millions of rows in one list: reading on to its end, scrolling all of it, coming back to rows that were
 *  let go of. ui.ts runs it. */
import type { Browser } from "playwright-core";
import type { ServerProcess } from "../src/testing/serverProcess.ts";
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

/** Gives figures as `[what, measured, goal]`. */
export async function measureMillions(
  browser: Browser,
  server: ServerProcess,
  millions: number,
): Promise<[string, string, string][]> {
  const count = Math.round(millions * 1e6);
  await pushMany(server.baseUrl, count);
  const page = await newPage(browser);
  const query = encodeURIComponent('{app="millions"}');
  await page.goto(`${server.baseUrl}/?volume=0&q=${query}`);
  await page.waitForSelector('main[aria-busy="false"] .log .text');
  const name = `${count.toLocaleString("en")} rows`;
  const goal = "60 fps, 0 tasks";

  await page.evaluate(watch);
  const milliseconds = await page.evaluate<number>(`${readOn}(${count})`);
  const reading = await page.evaluate<Watched>(readWatch);
  const rate = Math.round(count / milliseconds) * 1000;

  await page.evaluate(watch);
  const work = await longestWork(browser, page, () => page.evaluate(scrollAbout));
  const scrolling = await page.evaluate<Watched>(readWatch);
  const waits = await page.evaluate<number[]>(comeBack);
  const heap = await heapMegabytes(page);
  await page.context().close();
  return [
    [
      `reading on to the end of ${name}: ${rate.toLocaleString("en")} a second`,
      describe(reading, undefined),
      goal,
    ],
    [`scrolling ${name}, most of them let go of`, describe(scrolling, work), goal],
    [
      `a leap to rows that were let go of, until they are drawn, p50 / p95 of ${waits.length}`,
      `${p(waits, 0.5).toFixed(0)} / ${p(waits, 0.95).toFixed(0)} ms`,
      "",
    ],
    [`${name}: heap after collection`, `${heap.toFixed(0)} MB`, "60 MB"],
  ];
}

/** Lines of a hundred characters, eight in each nanosecond. */
async function pushMany(base: string, count: number): Promise<void> {
  const start = BigInt(Date.now()) * 1_000_000n - 1_000_000_000n;
  const perPush = 20_000;
  for (let from = 0; from < count; from += perPush) {
    const values: string[] = [];
    for (let i = from; i < Math.min(count, from + perPush); i++) {
      const line =
        `line ${i} level=info msg=\\"request completed\\" path=/api/orders/${i} status=200 took=12ms`;
      values.push(`["${start + BigInt(i >> 3)}","${line}"]`);
    }
    const response = await fetch(`${base}/loki/api/v1/push`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"streams":[{"stream":{"app":"millions"},"values":[${values.join()}]}]}`,
    });
    if (response.status !== 204) throw new Error(await response.text());
  }
}

/** Stays at the end until that many rows are listed; gives the milliseconds. */
const readOn = `(async (count) => {
  const list = document.querySelector(".list");
  const started = performance.now();
  while (Number(list.getAttribute("aria-rowcount")) < count) {
    list.scrollTop = list.scrollHeight;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return performance.now() - started;
})`;

/** 240 leaps over the whole list, from each on for two frames; then 240 frames of a wheel. */
const scrollAbout = `(async () => {
  const list = document.querySelector(".list");
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  for (let i = 0; i < 240; i++) {
    list.scrollTop = list.scrollHeight * ((i * 37) % 240) / 240;
    for (let j = 0; j < 2; j++) {
      await frame();
      list.scrollTop += 220;
    }
  }
  for (let i = 0; i < 240; i++) {
    list.scrollTop -= 120;
    await frame();
  }
})()`;

/** Leaps, each followed by waiting for the rows there. */
const comeBack = `(async () => {
  const list = document.querySelector(".list");
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const waits = [];
  for (let i = 0; i < 40; i++) {
    list.scrollTop = list.scrollHeight * ((i * 17 + 5) % 40) / 41;
    const started = performance.now();
    await frame();
    await frame();
    const isAbsent = list.querySelector(".absent") !== null;
    while (list.querySelector(".absent") !== null) await frame();
    if (isAbsent) waits.push(performance.now() - started);
  }
  return waits;
})()`;
