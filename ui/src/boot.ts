// Asks the server what the address asks before the page's code has come: the build puts this script into index.html itself
// (ui/vite.config.ts), so that the first requests leave as soon as that is read. main.ts takes their answers; it works as well
// where this did not run, because something on the way changed the script and the policy refuses it.
import { ask, begin, connect } from "./api/earlyRequests.ts";
import type { HeadStart } from "./api/headStart.ts";
import {
  boundsParameters,
  rangeParameters,
  seriesParameters,
  streamUrl,
} from "./api/parameters.ts";
import { isMetricQuery } from "./model/queryKind.ts";
import { resolveRange } from "./model/timeRange.ts";
import { type Address, readAddress } from "./state/addressText.ts";
import { askedLines, askedRange, askedSeries } from "./state/question.ts";

// The page's code says itself what goes wrong once it runs: from then on there is no head start.
addEventListener("error", ({ target }) => {
  if (globalThis.tailraceHeadStart === undefined && !(target instanceof HTMLScriptElement)) return;
  const root = document.getElementById("app");
  if (root !== null) root.textContent = "The page could not be loaded whole. Load it again.";
}, { capture: true });

const start = begin();
const address = readAddress(location.search);
askQuery(start, address);
askLabels(start, address);

function askQuery(start: HeadStart, state: Address): void {
  const { query } = state;
  const range = askedRange(state, start.began);
  // An instant query has no WebSocket; an error is said by who asks again.
  if (query.trim() === "" || typeof range === "string") return;
  const isMetric = isMetricQuery(query);
  if (isMetric && state.instant) return;
  const url = streamUrl(
    isMetric
      ? seriesParameters(askedSeries(query, range, false))
      : rangeParameters(askedLines(query, range, state)),
  );
  if (url !== undefined) connect(start, url);
}

function askLabels(start: HeadStart, { range, zone }: Address): void {
  const resolved = resolveRange(range, start.began, zone);
  if (typeof resolved !== "string") ask(start, "loki/api/v1/labels", boundsParameters(resolved));
}
