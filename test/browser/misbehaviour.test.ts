/** The page when the connection or the server misbehaves, above all in live mode, against a Loki that does so on request,
 *  below a path prefix and under the strictest policy. With a healthy server, page.test.ts. */
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { FakeLoki } from "../../ui/dev/fakeLoki.ts";
import { addressOf, browserFor, openPage, type PageDriver } from "./pageDriver.ts";

const files = fileURLToPath(new URL("../../ui/dist", import.meta.url));
const now = () => BigInt(Date.now()) * 1_000_000n;
const app = { app: "a" };
const network = /WebSocket connection|ERR_/;

async function start(t: Test, loki: FakeLoki): Promise<PageDriver> {
  const base = await loki.listen();
  t.teardown(() => loki.close());
  const driver = await openPage(t, addressOf(base, { q: '{app="a"}', live: "1" }), {
    expectedErrors: network,
  });
  return driver;
}

const following = (driver: PageDriver) => driver.page.waitForSelector(".state-following");

t.before(() => browserFor(t));

t.test("what came while the connection was lost is caught up once", async (t) => {
  const loki = new FakeLoki(files, "/some/prefix/");
  const sent: string[] = [];
  const say = (text: string, store = false) => {
    sent.push(text);
    if (store) loki.store(app, now() + BigInt(sent.length), text);
    else loki.push(app, now() + BigInt(sent.length), text);
  };
  say("before the page");
  const driver = await start(t, loki);
  await following(driver);
  for (let i = 0; i < 20; i++) say(`live ${i}`);
  await driver.waitForLine("live 19");
  loki.refuseTails = true;
  loki.dropTails();
  await driver.page.waitForSelector(".state-waiting");
  t.match(await driver.statusText(), /Connection lost .*trying again/);
  for (let i = 0; i < 15; i++) say(`missed ${i}`, true);
  loki.refuseTails = false;
  await driver.waitForLine("missed 14");
  await following(driver);
  for (let i = 0; i < 5; i++) say(`again ${i}`);
  await driver.waitForLine("again 4");
  await driver.page.keyboard.press("Space");
  t.strictSame(await driver.allLines(), sent);
});

t.test("lines the server left out are shown as a gap that leads to them", async (t) => {
  const loki = new FakeLoki(files, "/p/");
  const driver = await start(t, loki);
  await following(driver);
  const missed = now();
  loki.store(app, missed, "the one left out");
  loki.announceDropped(app, missed);
  const link = driver.page.locator(".notice a");
  t.match(await driver.page.innerText(".notice"), /left out 1 line,/);
  t.match(await driver.statusText(), /1 left out by server/);
  const href = await link.getAttribute("href");
  await driver.page.goto(new URL(href ?? "", driver.page.url()).href);
  await driver.waitForLine("the one left out");
  t.strictSame(await driver.allLines(), ["the one left out"]);
});

t.test("scrolling up pauses, so that what is read does not move away", async (t) => {
  const loki = new FakeLoki(files);
  for (let i = 0; i < 500; i++) loki.store(app, now() - BigInt(1000 - i), `old ${i}`);
  const driver = await start(t, loki);
  await following(driver);
  await driver.waitForLine("old 499");
  await driver.page.hover(".list");
  await driver.page.mouse.wheel(0, -600);
  await driver.page.waitForSelector(".state-paused");
  const before = await driver.drawnLines();
  for (let i = 0; i < 30; i++) loki.push(app, now(), `new ${i}`);
  await driver.page.waitForSelector("text=Resume (30 new)");
  t.strictSame(await driver.drawnLines(), before);
  await driver.page.click("text=Resume (30 new)");
  await driver.waitForLine("new 29");
});

t.test("a fast stream is followed without losing a line", async (t) => {
  const loki = new FakeLoki(files);
  const driver = await start(t, loki);
  await following(driver);
  // It is said while it is so, which is a second here.
  await driver.page.evaluate(`void (globalThis.said = new Promise((resolve) => {
    const status = document.querySelector(".status");
    const look = () => /sampled display/.test(status.textContent) && resolve(true);
    new MutationObserver(look).observe(status, { subtree: true, childList: true });
  }))`);
  const sent = Array.from({ length: 3000 }, (_, i) => `fast ${i}`);
  for (const [i, line] of sent.entries()) {
    loki.push(app, now() + BigInt(i), line);
    if (i % 500 === 499) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await driver.waitForLine("fast 2999");
  t.ok(await driver.page.evaluate("globalThis.said"), "that the display is sampled is said");
  await driver.page.keyboard.press("Space");
  t.strictSame(await driver.allLines(), sent);
});

t.test("a query can be cancelled, and its late answer stays away", async (t) => {
  const loki = new FakeLoki(files);
  loki.store(app, now(), "late");
  const answer = Promise.withResolvers<void>();
  loki.gate = answer.promise;
  const base = await loki.listen();
  t.teardown(() => loki.close());
  const driver = await openPage(t, addressOf(base, { q: '{app="a"}' }), {
    expectedErrors: network,
  });
  await driver.page.click("text=Cancel");
  t.match(await driver.page.innerText("#query-problem"), /Cancelled/);
  answer.resolve();
  await driver.settled();
  t.strictSame(await driver.drawnLines(), []);
  await driver.page.click("text=Try again");
  await driver.waitForLine("late");
});
