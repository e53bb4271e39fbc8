/** The collector's own pages: /ready, /metrics and /targets, where Promtail has them. Owns bringing gauges up
 *  to date before they are shown; what is counted while lines pass is collectorMetrics.ts'. */
import { Effect } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { processMetricsText } from "../platform/processMetrics.ts";
import { Lines } from "./Lines.ts";
import type { SourceState } from "./sourceState.ts";
import { FileTail } from "./tailing/FileTail.ts";

/** `checksTargets`: whether /ready waits for sources. */
export const pages = (prefix: string, checksTargets: boolean) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const lines = yield* Lines;
    const files = yield* FileTail;
    const base = prefix.replace(/\/+$/, "") as "" | `/${string}`;

    const metrics = Effect.sync(() => {
      sampleFiles(lines.metrics, files, lines.sources.size);
      return HttpServerResponse.text(lines.metrics.expose() + processMetricsText(), {
        contentType: "text/plain; version=0.0.4; charset=utf-8",
      });
    });
    const ready = Effect.sync(() => readiness(checksTargets ? lines.sources : new Set()));
    yield* router.add("GET", `${base}/ready`, ready);
    yield* router.add("GET", `${base}/metrics`, metrics);
    yield* router.add(
      "GET",
      `${base}/targets`,
      Effect.sync(() => HttpServerResponse.html(targetsPage(files, lines.sources))),
    );
  }));

/** Ready means that every source has found what to read once. */
function readiness(sources: ReadonlySet<SourceState>): HttpServerResponse.HttpServerResponse {
  const waiting = [...sources].filter(({ isReady }) => !isReady);
  if (waiting.length === 0) return HttpServerResponse.text("Ready\n");
  const text = waiting.map(({ job, kind, where, problem }) =>
    `Not ready: ${kind} of job "${job}", ${where}: ${problem ?? "has not answered yet"}\n`
  );
  return HttpServerResponse.text(text.join(""), { status: 503 });
}

/** Series of one path each are shown for so many files; beyond it only the sums are. */
const pathsShownMax = 1_000;

function sampleFiles(
  metrics: Lines["Service"]["metrics"],
  files: FileTail["Service"],
  sources: number,
): void {
  const tailed = files.tailer.files;
  metrics.series(metrics.activeFiles).value = tailed.size;
  metrics.series(metrics.openFiles).value = files.tailer.openCount;
  metrics.series(metrics.activeTargets).value = files.targets.groups.length + sources;
  if (tailed.size > pathsShownMax) return;
  for (const { path, counts } of tailed) {
    metrics.series(metrics.readLines, { path }).value = counts.lines;
    metrics.series(metrics.readBytes, { path }).value = counts.bytes;
  }
}

function targetsPage(
  { targets, tailer }: FileTail["Service"],
  sources: ReadonlySet<SourceState>,
): string {
  const byPath = new Map([...tailer.files].map((file) => [file.path, file]));
  const files = targets.groups.map((group) => {
    const paths = [...targets.pathsOf(group)];
    const shown = paths.slice(0, 100).map((path) => {
      const file = byPath.get(path);
      const read = file === undefined
        ? "not read"
        : `${file.consumed} bytes, ${file.counts.lines} lines`;
      return `<li>${escapeHtml(path)}: ${read}</li>`;
    }).join("");
    const rest = paths.length > 100 ? `<li>and ${paths.length - 100} more</li>` : "";
    return row(group.job, group.pathText, group.labels.text, `<ul>${shown}${rest}</ul>`);
  });
  const others = [...sources].map(({ job, kind, where, labels = "", isReady, problem, detail }) => {
    const state = problem ?? (isReady ? "" : "has not answered yet");
    const shown = `${escapeHtml(detail())}${state === "" ? "" : ` <b>${escapeHtml(state)}</b>`}`;
    return row(job, `${kind}: ${where}`, labels, shown);
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Targets</title>` +
    "<style>body{font:14px system-ui;margin:2em}td,th{padding:.3em .8em;text-align:left;" +
    "vertical-align:top;border-bottom:1px solid #ccc}ul{margin:0;padding:0;list-style:none}</style>" +
    "<h1>Targets</h1>" +
    (others.length === 0 ? "" : table("Source", "State", others)) +
    (files.length === 0 ? "" : table("Path", "Files", files)) +
    "</html>";
}

function table(what: string, state: string, rows: ReadonlyArray<string>): string {
  return `<table><tr><th>Job</th><th>${what}</th><th>Labels</th><th>${state}</th></tr>` +
    `${rows.join("")}</table>`;
}

/** `html` is what the last cell has. */
function row(job: string, what: string, labels: string, html: string): string {
  const cells = [job, what, labels].map((text) => `<td>${escapeHtml(text)}</td>`);
  return `<tr>${cells.join("")}<td>${html}</td></tr>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
