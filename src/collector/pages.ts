/** The collector's own pages: /ready, /metrics and /targets, where Promtail has them. Owns bringing gauges up
 *  to date before they are shown; what is counted while lines pass is collectorMetrics.ts'. */
import { Effect } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { processMetricsText } from "../platform/processMetrics.ts";
import { Lines } from "./Lines.ts";
import { FileTail } from "./tailing/FileTail.ts";

export const pages = (prefix: string) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const lines = yield* Lines;
    const files = yield* FileTail;
    const base = prefix.replace(/\/+$/, "") as "" | `/${string}`;

    const metrics = Effect.sync(() => {
      sampleFiles(lines.metrics, files);
      return HttpServerResponse.text(lines.metrics.expose() + processMetricsText(), {
        contentType: "text/plain; version=0.0.4; charset=utf-8",
      });
    });
    yield* router.add("GET", `${base}/ready`, HttpServerResponse.text("Ready\n"));
    yield* router.add("GET", `${base}/metrics`, metrics);
    yield* router.add(
      "GET",
      `${base}/targets`,
      Effect.sync(() => HttpServerResponse.html(targetsPage(files))),
    );
  }));

/** Series of one path each are shown for so many files; beyond it only the sums are. */
const pathsShownMax = 1_000;

function sampleFiles(metrics: Lines["Service"]["metrics"], files: FileTail["Service"]): void {
  const tailed = files.tailer.files;
  metrics.series(metrics.activeFiles).value = tailed.size;
  metrics.series(metrics.openFiles).value = files.tailer.openCount;
  metrics.series(metrics.activeTargets).value = files.targets.groups.length;
  if (tailed.size > pathsShownMax) return;
  for (const { path, counts } of tailed) {
    metrics.series(metrics.readLines, { path }).value = counts.lines;
    metrics.series(metrics.readBytes, { path }).value = counts.bytes;
  }
}

function targetsPage({ targets, tailer }: FileTail["Service"]): string {
  const byPath = new Map([...tailer.files].map((file) => [file.path, file]));
  const rows = targets.groups.map((group) => {
    const paths = [...targets.pathsOf(group)];
    const shown = paths.slice(0, 100).map((path) => {
      const file = byPath.get(path);
      const read = file === undefined
        ? "not read"
        : `${file.consumed} bytes, ${file.counts.lines} lines`;
      return `<li>${escapeHtml(path)}: ${read}</li>`;
    }).join("");
    const rest = paths.length > 100 ? `<li>and ${paths.length - 100} more</li>` : "";
    return `<tr><td>${escapeHtml(group.job)}</td><td>${escapeHtml(group.pathText)}</td>` +
      `<td>${escapeHtml(group.labels.text)}</td><td><ul>${shown}${rest}</ul></td></tr>`;
  }).join("");
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Targets</title>` +
    "<style>body{font:14px system-ui;margin:2em}td,th{padding:.3em .8em;text-align:left;" +
    "vertical-align:top;border-bottom:1px solid #ccc}ul{margin:0;padding:0;list-style:none}</style>" +
    "<h1>Targets</h1><table><tr><th>Job</th><th>Path</th><th>Labels</th><th>Files</th></tr>" +
    `${rows}</table></html>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
