/** How the page in Chromium is watched while something is done to it: frames, long tasks, the work of a task, memory. ui.ts and
 *  uiMillions.ts own what is done. */
import type { Browser, Page } from "playwright-core";
import { quantile } from "./ingest.ts";

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds of the thread's own time. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** The most milliseconds for which one task of the page's thread computes while `act` runs: other programs on the machine make a
 *  task last longer, but not compute more. */
export async function longestWork(
  browser: Browser,
  page: Page,
  act: () => Promise<unknown>,
): Promise<number> {
  const categories = ["-*", "disabled-by-default-devtools.timeline"];
  await browser.startTracing(page, { categories });
  await act();
  const { traceEvents } = JSON.parse(String(await browser.stopTracing())) as {
    traceEvents: TraceEvent[];
  };
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
  const threads = new Set(
    traceEvents.filter(({ name, args }) =>
      name === "thread_name" && args?.name === "CrRendererMain"
    ).map(threadOf),
  );
  const work = traceEvents.filter((event) =>
    event.name === "RunTask" && event.ph === "X" && threads.has(threadOf(event))
  ).map(({ tdur = 0 }) => tdur / 1000);
  return work.reduce((most, each) => Math.max(most, each), 0);
}

/** What runs in the page: counts frames, tasks over 50 ms and the longest one, until asked. */
export const watch = `(() => {
  const state = { frames: 0, slow: 0, longest: 0, started: performance.now(), running: true };
  globalThis.watched = state;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      state.slow++;
      state.longest = Math.max(state.longest, duration);
    }
  }).observe({ entryTypes: ["longtask"] });
  const frame = () => { state.frames++; if (state.running) requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
})()`;
export const readWatch = `(() => {
  const { frames, slow, longest, started } = globalThis.watched;
  globalThis.watched.running = false;
  return { fps: frames * 1000 / (performance.now() - started), slow, longest };
})()`;

export interface Watched {
  readonly fps: number;
  readonly slow: number;
  readonly longest: number;
}

export async function heapMegabytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return usedSize / 1e6;
}

export function describe({ fps, slow, longest }: Watched, work: number | undefined): string {
  const tasks = slow === 0
    ? "no task over 50 ms"
    : `${slow} tasks over 50 ms, the longest ${longest.toFixed(0)} ms`;
  const most = work === undefined ? "" : `; the most work in a task: ${work.toFixed(0)} ms`;
  return `${fps.toFixed(0)} fps, ${tasks}${most}`;
}

/** A quantile of figures in any order. */
export function p(figures: readonly number[], share: number): number {
  return quantile(figures.filter(Number.isFinite).sort((a, b) => a - b), share);
}

export async function newPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 820 } });
  return await context.newPage();
}
