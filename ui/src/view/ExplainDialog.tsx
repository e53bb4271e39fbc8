// What the server does for the query in the box and what each step cost: it is run once more for this, and its answer let go.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import {
  explainQuery,
  type ExplainScan,
  type ExplainStep,
  type Explanation,
} from "../api/explain.ts";
import { nowNanoseconds } from "../model/nanoseconds.ts";
import { isMetricQuery } from "../model/queryKind.ts";
import { resolveRange } from "../model/timeRange.ts";
import { address } from "../state/address.ts";
import { Asked } from "../state/asked.ts";
import { draft } from "../state/explore.ts";
import { askedSeries, pageRows } from "../state/question.ts";
import { explainOpen } from "../state/screen.ts";
import { AskedState } from "./AskedState.tsx";
import { formatBytes, formatCount } from "./figures.ts";

const asked = new Asked<Explanation>();

export function ExplainDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    asked.answer.value = undefined;
    ask();
  }, []);
  const found = asked.answer.value;
  return (
    <dialog
      ref={dialog}
      class="help explain"
      aria-labelledby="explain-title"
      onClose={() => explainOpen.value = false}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="help-body" aria-busy={asked.loading.value}>
        <h2 id="explain-title">What the server does for this query</h2>
        <AskedState asked={asked} retry={ask} />
        {found !== undefined && (
          <>
            {found.scans.map((scan, i) => <Scan key={i} scan={scan} totalMs={found.totalMs} />)}
            <p class="hint">
              {printMs(found.totalMs)} in all
              {found.evaluateMs !== undefined &&
                `, of which ${printMs(found.evaluateMs)} for what stands above the ranges`}
              ; waited {printMs(found.queueMs)} for its turn.
            </p>
          </>
        )}
        <form method="dialog">
          <button type="submit" class="button">Close</button>
        </form>
      </div>
    </dialog>
  );
}

function Scan({ scan, totalMs }: { scan: ExplainScan; totalMs: number }) {
  const step = (name: string) => scan.steps.find((each) => each.step === name);
  const labels = typeof scan.labels === "string" ? [scan.labels] : scan.labels;
  return (
    <section class="card">
      {scan.query !== undefined && <code class="explain-query">{scan.query}</code>}
      <ol class="explain-steps">
        <Step words="Find streams by their labels" texts={scan.matchers} totalMs={totalMs}>
          {step("index")}
        </Step>
        <Step
          words={scan.filters.length > 0
            ? "Narrow whole blocks of lines down"
            : "No text narrows whole blocks down"}
          texts={scan.filters}
          totalMs={totalMs}
        />
        <Step
          words={scan.stages.length > 0 ? "Run line by line" : "Nothing has to run line by line"}
          texts={scan.stages}
          totalMs={totalMs}
        />
        {scan.skipped.length > 0 && (
          <Step words="Left out, since nothing needs it" texts={scan.skipped} totalMs={totalMs} />
        )}
        <Step
          words={scan.readsLines ? "Read lines and labels" : "Read labels alone, no line"}
          texts={labels}
          totalMs={totalMs}
        >
          {step("scan")}
        </Step>
        {step("merge") !== undefined && (
          <Step
            words="Put the parts together"
            texts={[scan.pushedDown, scan.grouping].filter((each) => each != null && each !== "")
              .map(String)}
            totalMs={totalMs}
          >
            {step("merge")}
          </Step>
        )}
      </ol>
    </section>
  );
}

interface StepProps {
  readonly words: string;
  readonly texts: readonly string[];
  readonly totalMs: number;
  readonly children?: ExplainStep | undefined;
}

function Step({ words, texts, totalMs, children: cost }: StepProps) {
  const share = cost === undefined ? 0 : Math.min(1, cost.ms / Math.max(totalMs, 0.001));
  return (
    <li>
      <span class="explain-words">
        {words}
        {texts.map((text, i) => <code key={i}>{text}</code>)}
      </span>
      {cost !== undefined && (
        <span class="explain-cost">
          <span class="hint">{countsOf(cost)}</span>
          <span class="explain-bar" aria-hidden="true">
            <i style={{ width: `${100 * share}%` }} />
          </span>
          <b>{printMs(cost.ms)}</b>
        </span>
      )}
    </li>
  );
}

/** Names of counts, in the order in which they are told; those that are zero say nothing and are left out. */
const countWords: readonly (readonly [string, string])[] = [
  ["streams", "streams"],
  ["storedChunks", "chunks stored"],
  ["consideredChunks", "chunks considered"],
  ["prunedByLabels", "ruled out by labels"],
  ["answeredChunks", "chunks counted without reading"],
  ["unflushedSlices", "unflushed pieces"],
  ["chunksRead", "chunks read"],
  ["bytesRead", "read"],
  ["lineBytesDecoded", "of lines decoded"],
  ["rowsScanned", "lines looked at"],
  ["rowsReturned", "lines answered"],
  ["rowsFolded", "lines counted"],
  ["cells", "cells"],
  ["series", "series"],
];

function countsOf(cost: ExplainStep): string {
  return countWords.filter(([name]) => Number(cost[name] ?? 0) > 0).map(([name, words]) => {
    const count = Number(cost[name]);
    return `${/[bB]ytes/.test(name) ? formatBytes(count) : formatCount(count)} ${words}`;
  }).join(", ");
}

function printMs(ms: number): string {
  return ms < 10
    ? `${Number(ms.toPrecision(2))} ms`
    : ms < 2000
    ? `${Math.round(ms)} ms`
    : `${(ms / 1000).toFixed(1)} s`;
}

function ask(): void {
  const { range, zone, instant } = address.peek();
  const resolved = resolveRange(range, nowNanoseconds(), zone);
  const text = draft.peek();
  if (typeof resolved === "string" || text.trim() === "") return;
  const query = isMetricQuery(text)
    ? askedSeries(text, resolved, instant)
    : { query: text, ...resolved };
  asked.forget();
  void asked.ask(String(Date.now()), (signal) => explainQuery(query, pageRows, signal));
}
