// Takes a screenshot of the page. Run: node ui/dev/shoot.ts URL OUT.png [--dark] [--phone] [--wait=SELECTOR] [--do=SCRIPT]
// [--size=WIDTHxHEIGHT]; SCRIPT is the body of an async function of playwright's `page`.
import { launchChromium } from "../../src/testing/browser.ts";

const [url = "", out = "", ...flags] = process.argv.slice(2);
const flag = (name: string) =>
  flags.find((each) => each.startsWith(`--${name}=`))?.split("=").slice(1).join("=");
const isPhone = flags.includes("--phone");
const [width = 1360, height = 820] = (flag("size") ?? (isPhone ? "390x844" : "1360x820"))
  .split("x").map(Number);
const browser = await launchChromium();
const page = await browser.newPage({
  viewport: { width, height },
  colorScheme: flags.includes("--dark") ? "dark" : "light",
  hasTouch: isPhone,
  isMobile: isPhone,
  deviceScaleFactor: isPhone ? 2 : 1,
});
page.on("console", (message) => message.type() === "error" && console.error(message.text()));
page.on("pageerror", (error) => console.error(error));
await page.goto(url);
await page.waitForSelector('main[aria-busy="false"]');
const selector = flag("wait");
if (selector !== undefined) await page.waitForSelector(selector);
const script = flag("do");
if (script !== undefined) {
  await (new Function("page", `return (async () => { ${script} })()`) as (
    p: typeof page,
  ) => Promise<void>)(page);
}
await page.waitForTimeout(600);
await page.screenshot({ path: out });
await browser.close();
