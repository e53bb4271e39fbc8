// Patterns of the lines that match: how often, when (a sparkline), and filters that keep or drop a pattern's lines.
import { useEffect } from "preact/hooks";
import { type Pattern, type Patterns, patterns } from "../api/fields.ts";
import { roundStep } from "../model/queryKind.ts";
import { levelNamed } from "../model/row.ts";
import { filterLine } from "../model/selector.ts";
import type { ResolvedRange } from "../model/timeRange.ts";
import { go } from "../state/address.ts";
import { Asked } from "../state/asked.ts";
import { draft, type Run, shown, submit } from "../state/explore.ts";
import { copy } from "../state/screen.ts";
import { AskedState } from "./AskedState.tsx";
import { formatCount } from "./figures.ts";
import { Icon } from "./icons.tsx";

/** The bars of all sparklines: the same moments below one another. */
interface Axis {
  readonly start: number;
  readonly stepSeconds: number;
  readonly bars: number;
}

const asked = new Asked<Patterns & { readonly axis: Axis }>();
const patternsMax = 300;
const barsMax = 60;

export function PatternsView() {
  const run = shown.value;
  useEffect(() => {
    if (run !== undefined) ask(run);
  }, [run]);
  if (run === undefined) return null;
  const answer = asked.answer.value;
  const found = (answer?.patterns ?? []).map((pattern) => ({
    pattern,
    lines: pattern.samples.reduce((sum, [, lines]) => sum + lines, 0),
  })).sort((a, b) => b.lines - a.lines);
  const total = found.reduce((sum, { lines }) => sum + lines, 0);
  return (
    <div
      class={`patterns ${asked.loading.value ? "stale" : ""}`}
      tabIndex={0}
      role="region"
      aria-label="Patterns"
    >
      <AskedState
        asked={asked}
        retry={() => {
          asked.forget();
          ask(run);
        }}
      />
      {answer !== undefined && found.length === 0 && (
        <p class="empty">No pattern was found in the lines of this range.</p>
      )}
      {answer !== undefined && found.length > 0 && <p class="hint">{describeSample(answer)}</p>}
      {answer !== undefined && found.length > 0 && (
        <table role="table">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col" class="number">Lines</th>
              <th role="columnheader" scope="col" class="number">Share</th>
              <th role="columnheader" scope="col">When</th>
              <th role="columnheader" scope="col">Level</th>
              <th role="columnheader" scope="col">Pattern</th>
              <th role="columnheader" scope="col">
                <span class="visually-hidden">Filter</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {found.slice(0, patternsMax).map(({ pattern, lines }) => (
              <PatternRow
                key={`${pattern.level} ${pattern.pattern}`}
                pattern={pattern}
                lines={lines}
                total={total}
                axis={answer.axis}
              />
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

interface RowProps {
  readonly pattern: Pattern;
  readonly lines: number;
  readonly total: number;
  readonly axis: Axis;
}

/** What the patterns are counted from: a part of the range must not pass for the whole. */
function describeSample({ patterns, linesRead, complete }: Patterns): string {
  const lines = linesRead === undefined
    ? ""
    : complete === true
    ? `All ${formatCount(linesRead)} lines of the range.`
    : `The newest ${
      formatCount(linesRead)
    } lines, not the whole range: ask for a shorter one or filter to see more of it.`;
  return patterns.length > patternsMax
    ? `${lines} The ${patternsMax} most frequent of ${formatCount(patterns.length)} patterns.`
    : lines;
}

function PatternRow({ pattern, lines, total, axis }: RowProps) {
  const filter = (operator: "|>" | "!>") => {
    go({ tab: "lines" }, "replace");
    submit(filterLine(draft.peek(), operator, pattern.pattern));
  };
  return (
    <tr role="row">
      <td role="cell" class="number">{formatCount(lines)}</td>
      <td role="cell" class="number">{((100 * lines) / Math.max(1, total)).toFixed(1)} %</td>
      <td role="cell">
        <Sparkline samples={pattern.samples} axis={axis} />
      </td>
      <td role="cell">
        {pattern.level !== undefined && pattern.level !== "" && (
          <span class={`level level-${levelNamed(pattern.level)}`}>
            <i aria-hidden="true" /> {pattern.level}
          </span>
        )}
      </td>
      <td role="cell">
        <code>{pattern.pattern}</code>
      </td>
      <td role="cell" class="acts">
        <button
          type="button"
          class="icon-button"
          aria-label="Only lines of this pattern"
          title="Only lines of this pattern"
          onClick={() => filter("|>")}
        >
          <Icon name="plus" />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label="Without lines of this pattern"
          title="Without lines of this pattern"
          onClick={() => filter("!>")}
        >
          <Icon name="minus" />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label="Copy the pattern"
          title="Copy the pattern"
          onClick={() => void copy(pattern.pattern, "the pattern")}
        >
          <Icon name="copy" />
        </button>
      </td>
    </tr>
  );
}

function Sparkline({ samples, axis }: { samples: Pattern["samples"]; axis: Axis }) {
  const bars = new Array<number>(axis.bars).fill(0);
  for (const [seconds, lines] of samples) {
    const at = Math.floor((seconds - axis.start) / axis.stepSeconds);
    if (at in bars) bars[at] = (bars[at] ?? 0) + lines;
  }
  const most = Math.max(1, ...bars);
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${axis.bars} 10`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {bars.map((lines, i) => (
        <rect
          key={i}
          x={i}
          width={0.8}
          y={10 - (9.5 * lines) / most}
          height={(9.5 * lines) / most}
        />
      ))}
    </svg>
  );
}

function ask(run: Run): void {
  const axis = axisOf(run.range);
  const key = JSON.stringify([run.query, String(run.range.start), String(run.range.end)]);
  void asked.ask(
    key,
    async (signal) => ({
      ...await patterns(run.query, run.range, axis.stepSeconds, signal),
      axis,
    }),
  );
}

/** The server counts by multiples of ten seconds since 1970. */
function axisOf({ start, end }: ResolvedRange): Axis {
  const [from, to] = [Number(start / 1_000_000n) / 1000, Number(end / 1_000_000n) / 1000];
  const stepSeconds = 10 * Math.ceil(roundStep(to - from, barsMax) / 10);
  const first = Math.floor(from / stepSeconds);
  const bars = Math.max(1, Math.ceil(to / stepSeconds) - first);
  return { start: first * stepSeconds, stepSeconds, bars };
}
