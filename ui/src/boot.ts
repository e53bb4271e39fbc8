// Asks the server what the address asks, then loads the page. All there is in the first script, so that it is small enough to
// arrive with the first packets: the query and the labels are on their way while main.ts and what draws the page still load.
import { askEarly, begin, openEarly, presentMoment } from "./api/headStart.ts";
import {
  boundsParameters,
  rangeParameters,
  seriesParameters,
  streamUrl,
} from "./api/parameters.ts";
import { isMetricQuery } from "./model/queryKind.ts";
import { resolveRange } from "./model/timeRange.ts";
import { address } from "./state/address.ts";
import { askedLines, askedRange, askedSeries } from "./state/question.ts";
import "./style/base.css";
import "./style/controls.css";
import "./style/sidebar.css";
import "./style/list.css";
import "./style/drawer.css";
import "./style/panels.css";
import "./style/narrow.css";

begin();
askQuery();
askLabels();

import("./main.ts").catch((cause: unknown) => {
  console.error(cause);
  const root = document.getElementById("app");
  if (root !== null) root.textContent = "The page could not be loaded whole. Load it again.";
});

function askQuery(): void {
  const state = address.peek();
  const { query } = state;
  const range = askedRange(state, presentMoment());
  // An instant query has no WebSocket; an error is said by who asks again.
  if (query.trim() === "" || typeof range === "string") return;
  const isMetric = isMetricQuery(query);
  if (isMetric && state.instant) return;
  const url = streamUrl(
    isMetric
      ? seriesParameters(askedSeries(query, range, false))
      : rangeParameters(askedLines(query, range, state)),
  );
  if (url !== undefined) openEarly(url);
}

function askLabels(): void {
  const { range, zone } = address.peek();
  const resolved = resolveRange(range, presentMoment(), zone);
  if (typeof resolved !== "string") askEarly("loki/api/v1/labels", boundsParameters(resolved));
}
