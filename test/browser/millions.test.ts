// A list of hundreds of thousands of lines, read to its end in real Chromium and scrolled all over: what was let go of
// comes back as it was. bench/ui.ts does it with millions.
import t, { type Test } from "tap";
import { onServer, type Scenario, type ScenarioBody } from "../../src/testing/onServer.ts";
import { settingsWithoutLimits } from "../../src/testing/serverProcess.ts";
import { browserFor, type PageDriver } from "./pageDriver.ts";
import { openQuery, savedBy, selectorOf } from "./pageScenario.ts";

const count = 400_000;
/** Lines that share a nanosecond. */
const equals = 7;
/** So long that the page cannot hold half of them. */
const lineOf = (i: number) => `${startOf(i)}${"x".repeat(180)}`;
/** What a row shows of it at least. */
const startOf = (i: number) => `line ${i} x`;

/** Pushes lines of one stream, the first the oldest, `equals` to a nanosecond. */
async function pushMany(
  scenario: Scenario,
  count: number,
  line: (i: number) => string,
  metadata: (i: number) => string = () => "{}",
): Promise<void> {
  const perPush = 25_000;
  for (let from = 0; from < count; from += perPush) {
    const values: string[] = [];
    for (let i = from; i < Math.min(count, from + perPush); i++) {
      values.push(`["${timeOf(scenario, i)}","${line(i)}",${metadata(i)}]`);
    }
    await send(scenario, `{"app":"${scenario.app}"}`, values);
  }
}

const timeOf = (scenario: Scenario, i: number) => scenario.now + BigInt(Math.floor(i / equals));

async function send(scenario: Scenario, stream: string, values: readonly string[]): Promise<void> {
  const response = await fetch(`${scenario.server.baseUrl}/loki/api/v1/push`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"streams":[{"stream":${stream},"values":[${values.join()}]}]}`,
  });
  if (response.status !== 204) throw new Error(await response.text());
}

/** Stays at the end until all is listed. */
async function readToEnd(driver: PageDriver, count: number): Promise<void> {
  await driver.page.evaluate(`(async () => {
    const list = document.querySelector(".list");
    while (Number(list.getAttribute("aria-rowcount")) < ${count}) {
      list.scrollTop = list.scrollHeight;
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  })()`);
  await driver.page.locator(".list-end", { hasText: "of the range" }).waitFor();
}

interface Drawn {
  readonly sequence: number;
  readonly text: string;
  /** Pixels from the top of the list's view. */
  readonly y: number;
}

/** The rows of the view, top to bottom, once all of them are there. */
async function settledRows(driver: PageDriver): Promise<Drawn[]> {
  return await driver.page.evaluate<Drawn[]>(`(async () => {
    const list = document.querySelector(".list");
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
    await frame();
    await frame();
    while (list.querySelector(".absent") !== null) await frame();
    const top = list.getBoundingClientRect().top;
    return [...list.querySelectorAll(".log")].map((row) => ({
      sequence: Number(row.dataset.sequence),
      text: row.querySelector(".text").textContent,
      y: row.getBoundingClientRect().top - top,
    })).sort((a, b) => a.y - b.y);
  })()`);
}

/** Scrolls the element to a share of its height, as dragging the scrollbar does. */
async function leapTo(driver: PageDriver, share: number): Promise<void> {
  await driver.page.evaluate(`(() => {
    const list = document.querySelector(".list");
    list.scrollTop = list.scrollHeight * ${share};
  })()`);
}

const topOf = (rows: readonly Drawn[]) => {
  const [first = fail()] = rows;
  return first.sequence * 20 - first.y;
};

function fail(): never {
  throw new Error("no row is drawn");
}

/** Counts requests for lines that were let go of. */
function countRequests(driver: PageDriver): { asked: number } {
  const counted = { asked: 0 };
  driver.page.on("request", (request) => {
    if (request.url().includes("/loki/api/v1/query_range?")) counted.asked++;
  });
  return counted;
}

async function scrollEverywhere(
  t: Test,
  driver: PageDriver,
  isRight: (row: Drawn) => boolean,
): Promise<void> {
  const wrong: Drawn[] = [];
  let drawn = 0;
  for (let i = 0; i < 25; i++) {
    await leapTo(driver, ((i * 11 + 3) % 25) / 25);
    const rows = await settledRows(driver);
    drawn += rows.length;
    wrong.push(...rows.filter((row) => !isRight(row)));
    for (const [i, { sequence, y }] of rows.entries()) {
      const before = rows[i - 1];
      if (before && (before.sequence !== sequence - 1 || before.y !== y - 20)) wrong.push(rows[i]!);
    }
  }
  t.strictSame(wrong, [], `all of ${drawn} rows in 25 places are the right ones`);
}

const large: Record<string, ScenarioBody> = {
  "hundreds of thousands of lines are scrolled through": async (t, scenario) => {
    await pushMany(scenario, count, lineOf);
    const driver = await openQuery(t, scenario, selectorOf(scenario), { volume: "0" }, {
      expectedErrors: /ERR_FAILED/,
    });
    const { page } = driver;
    const counted = countRequests(driver);
    await readToEnd(driver, count);
    t.match(await driver.statusText(), /400,000 lines/);
    t.equal(counted.asked, 0, "reading on asks for nothing twice");
    const isRight = ({ sequence, text }: Drawn) => text.startsWith(startOf(count - 1 - sequence));

    await t.test("what was let go of comes back, whatever was stored meanwhile", async (t) => {
      const late = Array.from({ length: 2000 }, (_, i) => {
        const time = timeOf(scenario, Math.floor(i * count / 2000));
        return `["${time}","late ${i}"]`;
      });
      await send(scenario, `{"app":"${scenario.app}","agent":"late"}`, late);
      await scrollEverywhere(t, driver, isRight);
      t.ok(counted.asked > 10, "it had to be asked for");
      t.ok(counted.asked < 90, `in ${counted.asked} requests for 25 places`);
      t.match(await driver.statusText(), /[\d,]+ held/);
    });

    await t.test("dragging the scrollbar asks for where it ends alone", async (t) => {
      const before = counted.asked;
      // How often a busy machine paused for so long that it was a rest.
      const rests = await page.evaluate<number>(`(async () => {
        const list = document.querySelector(".list");
        let rests = 0;
        for (let i = 0; i < 60; i++) {
          const began = performance.now();
          list.scrollTop = list.scrollHeight * (0.95 - i * 0.011);
          await new Promise((resolve) => requestAnimationFrame(resolve));
          if (performance.now() - began > 50) rests++;
        }
        return rests;
      })()`);
      const rows = await settledRows(driver);
      t.ok(rows.every(isRight));
      const asked = counted.asked - before;
      t.ok(asked <= 3 * (1 + rests), `${asked} requests for 60 places with ${rests} rests`);
    });

    await t.test("the wheel moves the list by its pixels, and rests move nothing", async (t) => {
      const before = topOf(await settledRows(driver));
      await page.mouse.move(700, 500);
      for (let i = 0; i < 8; i++) await page.mouse.wheel(0, 250);
      await page.evaluate(`(async () => {
        const list = document.querySelector(".list");
        const moved = () => {
          const [row] = list.querySelectorAll(".log");
          const y = row.getBoundingClientRect().top - list.getBoundingClientRect().top;
          return Number(row.dataset.sequence) * 20 - y - ${before};
        };
        while (moved() < 2000) await new Promise((resolve) => setTimeout(resolve, 10));
      })()`);
      await page.waitForTimeout(400);
      t.equal(topOf(await settledRows(driver)), before + 2000);
    });

    await t.test("keys reach both ends and open what is not held", async (t) => {
      await page.keyboard.press("g");
      await page.locator(`.log.selected .text:has-text("${startOf(count - 1)}")`).waitFor();
      await page.keyboard.press("Enter");
      t.equal(await page.innerText(".drawer .line"), lineOf(count - 1));
      await page.keyboard.press("G");
      await page.locator(`.drawer .line:text-is("${lineOf(0)}")`).waitFor();
      await page.keyboard.press("k");
      await page.locator(`.drawer .line:text-is("${lineOf(1)}")`).waitFor();
      await page.locator(`.log.open.selected .text:has-text("${startOf(1)}")`).waitFor();
      await leapTo(driver, 0.5);
      await settledRows(driver);
      await page.keyboard.press("j");
      await page.locator(`.log.open.selected .text:has-text("${startOf(0)}")`).waitFor();
      t.pass("the line that is open is known again when it comes back");
      await page.keyboard.press("Escape");
    });

    await t.test("finding and downloading say what they look at", async (t) => {
      await leapTo(driver, 0);
      await settledRows(driver);
      await page.fill("#find", "no line has this");
      await page.press("#find", "Enter");
      await page.locator(".note", { hasText: /among the [\d,]+ lines held of 400,000/ })
        .waitFor();
      await page.fill("#find", `line ${count - 3}`);
      await page.press("#find", "Enter");
      await page.locator(".log.selected", { hasText: `line ${count - 3}` }).waitFor();
      await page.click('[aria-label="Download lines"]');
      const group = page.locator('[role="group"]', { hasText: /lines held of 400,000/ }).last();
      const [, held = ""] = /The ([\d,]+) lines held/.exec(await group.innerText()) ?? [];
      const text = await savedBy(driver, () => group.locator("text=Text").click());
      t.equal(text.split("\n").length - 1, Number(held.replaceAll(",", "")));
    });

    await t.test("rows that cannot be had say so, and come on a second try", async (t) => {
      await page.route(/query_range/, (route) => route.abort());
      const trouble = page.locator('.list-end[role="alert"]', { hasText: "could not be loaded" });
      // Between the places that were looked at, whose rows are held still.
      await leapTo(driver, 9.5 / 25);
      await trouble.waitFor();
      t.match(await page.innerText(".absent >> nth=10"), /\d\d:\d\d:\d\d.*Not loaded/s);
      await page.unroute(/query_range/);
      await trouble.locator("button").click();
      t.ok((await settledRows(driver)).every(isRight));
      t.equal(await trouble.count(), 0);
    });
  },
};

/** On a server that gives a thousand lines at once and no more. */
const strict: Record<string, ScenarioBody> = {
  "oldest first, folded and side by side": async (t, scenario) => {
    const filler = "x".repeat(1200);
    const total = 30_000;
    // Pairs of equal lines, to be folded; of entries that are equal in all, one would be stored.
    const half = (i: number) => `{"half":"${i % 2}"}`;
    await pushMany(scenario, total, (i) => `line ${i >> 1} ${filler}`, half);
    const driver = await openQuery(t, scenario, selectorOf(scenario), {
      volume: "0",
      order: "oldest",
      dedup: "exact",
    });
    const { page } = driver;
    await readToEnd(driver, total / 2);
    t.match(await driver.statusText(), /30,000 lines[^]*held/);
    await scrollEverywhere(
      t,
      driver,
      ({ sequence, text }) => text.startsWith(`line ${sequence} x`),
    );
    t.equal(await page.locator(".count-chip").first().innerText(), "×2");
    await leapTo(driver, 0.5);
    const atTop = async () =>
      (await settledRows(driver)).find(({ y }) => y > -20)?.sequence ?? fail();
    const before = await atTop();
    await page.keyboard.press("w");
    await page.waitForSelector(".list.wrap");
    t.equal(await atTop(), before, "wrapping leaves the line at the top there");
    await page.keyboard.press("w");
    await page.waitForSelector(".list:not(.wrap)");
    t.equal(await atTop(), before, "and so does not wrapping any more");
    await page.selectOption('[aria-label="Repeated lines"]', "none");
    await page.locator(".note", { hasText: "begins anew" }).waitFor();
    await driver.settled();
    await page.locator('.list[aria-rowcount="1000"]').waitFor();
    t.match(await driver.statusText(), /1,000\+ lines/);
    await readToEnd(driver, total);
    await page.selectOption('[aria-label="Side by side"]', "app");
    await page.locator('.pane .list[aria-rowcount="1000"]').waitFor();
    await readToEnd(driver, total);
    const isRight = ({ sequence, text }: Drawn) => text.startsWith(`line ${sequence >> 1} x`);
    await scrollEverywhere(t, driver, isRight);
  },
};

t.before(() => browserFor(t));
// What is tested is the browser's work: one runtime is enough.
onServer(settingsWithoutLimits, large, { on: "deno" });
const strictSettings = {
  ...settingsWithoutLimits,
  "limits_config.max_entries_limit_per_query": "1000",
};
onServer(strictSettings, strict, { on: "deno" });
