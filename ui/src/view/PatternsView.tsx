// Patterns of the lines that match: how often, when (a sparkline), and filters that keep or drop a pattern's lines.
import { useEffect } from "preact/hooks";
import { type Pattern, patterns } from "../api/fields.ts";
import { roundStep } from "../model/queryKind.ts";
import { levelNamed } from "../model/row.ts";
import { filterLine } from "../model/selector.ts";
import { go } from "../state/address.ts";
import { Asked } from "../state/asked.ts";
import { draft, type Run, shown, submit } from "../state/explore.ts";
import { copy } from "../state/screen.ts";
import { AskedState } from "./AskedState.tsx";
import { formatCount } from "./figures.ts";
import { Icon } from "./icons.tsx";

const asked = new Asked<readonly Pattern[]>();
const patternsMax = 300;
const sparkPoints = 40;

export function PatternsView() {
  const run = shown.value;
  useEffect(() => {
    if (run !== undefined) ask(run);
  }, [run]);
  if (run === undefined) return null;
  const found = [...asked.answer.value ?? []].map((pattern) => ({
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
      {asked.answer.value?.length === 0 && (
        <p class="empty">No pattern was found in the lines of this range.</p>
      )}
      {found.length > 0 && (
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
}

function PatternRow({ pattern, lines, total }: RowProps) {
  const filter = (operator: "|>" | "!>") => {
    go({ tab: "lines" }, "replace");
    submit(filterLine(draft.peek(), operator, pattern.pattern));
  };
  return (
    <tr role="row">
      <td role="cell" class="number">{formatCount(lines)}</td>
      <td role="cell" class="number">{((100 * lines) / Math.max(1, total)).toFixed(1)} %</td>
      <td role="cell">
        <Sparkline samples={pattern.samples} />
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

function Sparkline({ samples }: { samples: Pattern["samples"] }) {
  const first = samples[0]?.[0] ?? 0;
  const last = Math.max(first + 1, samples.at(-1)?.[0] ?? 1);
  const bars = new Array<number>(sparkPoints).fill(0);
  for (const [seconds, lines] of samples) {
    const at = Math.min(
      sparkPoints - 1,
      Math.floor(((seconds - first) / (last - first)) * sparkPoints),
    );
    bars[at] = (bars[at] ?? 0) + lines;
  }
  const most = Math.max(1, ...bars);
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${sparkPoints} 10`}
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
  const seconds = Number((run.range.end - run.range.start) / 1_000_000_000n);
  const key = JSON.stringify([run.query, String(run.range.start), String(run.range.end)]);
  void asked.ask(
    key,
    (signal) => patterns(run.query, run.range, Math.max(10, roundStep(seconds, 60)), signal),
  );
}
