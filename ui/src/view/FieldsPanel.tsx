// Fields found inside lines, below the labels at the left: type, how many values, the most frequent ones on demand, with
// filters. Which fields there are comes from a sample of the newest lines and says so; counts of values are exact, by a
// query.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type DetectedField, detectedFields } from "../api/fields.ts";
import { querySeries, type SeriesPage } from "../api/loki.ts";
import { filterParsed } from "../model/lineFields.ts";
import { isMetricQuery } from "../model/queryKind.ts";
import { filterField } from "../model/selector.ts";
import { address } from "../state/address.ts";
import { Asked } from "../state/asked.ts";
import { draft, loading, type Run, shown, submit } from "../state/explore.ts";
import { AskedState } from "./AskedState.tsx";
import { toggleColumn } from "./ColumnHeads.tsx";
import { formatCount } from "./figures.ts";
import { Icon } from "./icons.tsx";

const asked = new Asked<readonly DetectedField[]>();
const sampledLines = 1000;

export function FieldsPanel() {
  const isOpen = useSignal(false);
  const run = shown.value;
  const usable = run !== undefined && !isMetricQuery(run.query) && !loading.value;
  const ask = () => {
    if (run === undefined) return;
    const key = JSON.stringify([run.query, String(run.range.start), String(run.range.end)]);
    void asked.ask(key, (signal) => detectedFields(run.query, run.range, signal));
  };
  useEffect(() => {
    if (isOpen.value && usable) ask();
  });
  if (run === undefined || isMetricQuery(run.query)) return null;
  const fields = [...asked.answer.value ?? []].sort((a, b) => a.label < b.label ? -1 : 1);
  return (
    <section class="fields-panel">
      <button
        type="button"
        class="fold section"
        aria-expanded={isOpen.value}
        onClick={() => isOpen.value = !isOpen.value}
      >
        <Icon name={isOpen.value ? "down" : "right"} />
        <span class="label-name">Fields in the lines</span>
      </button>
      {isOpen.value && (
        <>
          <AskedState asked={asked} retry={ask} />
          {asked.answer.value !== undefined && (
            <p class="hint">
              {fields.length === 0 ? "None found" : `Found`} in the newest{" "}
              {formatCount(sampledLines)} lines.
            </p>
          )}
          <ul>{fields.map((field) => <Field key={field.label} field={field} run={run} />)}</ul>
        </>
      )}
    </section>
  );
}

function Field({ field, run }: { field: DetectedField; run: Run }) {
  const isOpen = useSignal(false);
  const { columns } = address.value;
  return (
    <li>
      <div class="field-head">
        <button
          type="button"
          class="fold"
          aria-expanded={isOpen.value}
          onClick={() => isOpen.value = !isOpen.value}
        >
          <Icon name={isOpen.value ? "down" : "right"} />
          <span class="label-name" title={field.label}>{field.label}</span>
          <span class="hint" title={`${field.cardinality} values in the sample`}>
            {field.type} · {formatCount(field.cardinality)}
          </span>
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={`Column ${field.label}`}
          aria-pressed={columns.includes(field.label)}
          title="Show as a column"
          onClick={() => addColumn(field)}
        >
          <Icon name="column" />
        </button>
      </div>
      {isOpen.value && <TopValues field={field} run={run} />}
    </li>
  );
}

/** A field that a parser finds needs the parser in the query to be seen. */
function addColumn(field: DetectedField): void {
  const parser = parserOf(field);
  toggleColumn(field.label);
  const query = draft.peek();
  if (parser !== undefined && !new RegExp(`\\|\\s*${parser}\\b`).test(query)) {
    submit(`${query.trimEnd()} | ${parser}`);
  }
}

function parserOf(field: DetectedField): "json" | "logfmt" | undefined {
  return field.parsers?.find((parser) => parser === "json" || parser === "logfmt") as
    | "json"
    | "logfmt"
    | undefined;
}

const topCount = 10;

interface Top {
  readonly values: readonly (readonly [value: string, lines: number])[];
  /** Of the whole range: different values, and lines that have the field. */
  readonly valueCount: number;
  readonly lineCount: number;
}

function TopValues({ field, run }: { field: DetectedField; run: Run }) {
  const top = useMemo(() => new Asked<Top>(), []);
  const ask = () =>
    void top.ask(
      JSON.stringify([run.query, String(run.range.start), String(run.range.end)]),
      (signal) => topValues(field, run, signal),
    );
  useEffect(ask, [run]);
  const found = top.answer.value?.values ?? [];
  const most = Math.max(1, ...found.map(([, lines]) => lines));
  const parser = parserOf(field);
  const filter = (value: string, keep: boolean) =>
    submit(
      parser === undefined
        ? filterField(draft.peek(), field.label, value, keep)
        : filterParsed(draft.peek(), parser, field.label, value, keep),
    );
  return (
    <div class="top-values">
      <AskedState asked={top} retry={ask} />
      {top.answer.value !== undefined && (
        <p class="hint">
          {formatCount(top.answer.value.valueCount)}{" "}
          {top.answer.value.valueCount === 1 ? "value" : "values"} in{" "}
          {formatCount(top.answer.value.lineCount)} lines of the range
        </p>
      )}
      <ul>
        {found.map(([value, lines]) => (
          <li key={value}>
            <span class="share" style={{ width: `${(100 * lines) / most}%` }} aria-hidden="true" />
            <span class="value" title={value}>{value}</span>
            <em>{formatCount(lines)}</em>
            <button
              type="button"
              class="icon-button"
              aria-label={`Only ${field.label} = ${value}`}
              title="Only these"
              onClick={() => filter(value, true)}
            >
              <Icon name="plus" />
            </button>
            <button
              type="button"
              class="icon-button"
              aria-label={`Not ${field.label} = ${value}`}
              title="Without these"
              onClick={() => filter(value, false)}
            >
              <Icon name="minus" />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The most frequent values over the whole range and how many there are, counted exactly by the server. */
async function topValues(field: DetectedField, run: Run, signal: AbortSignal): Promise<Top> {
  const parser = parserOf(field);
  const hasParser = parser === undefined || new RegExp(`\\|\\s*${parser}\\b`).test(run.query);
  const stage = hasParser ? "" : `| ${parser} `;
  const seconds = Math.max(
    1,
    Math.ceil(Number((run.range.end - run.range.start) / 1_000_000_000n)),
  );
  const lines = `count_over_time(${run.query}
${stage}| drop __error__, __error_details__ | ${field.label}!="" [${seconds}s])`;
  const counts = `sum by (${field.label}) (${lines})`;
  const ask = (query: string) => querySeries({ query, ...run.range }, signal);
  const [top, valueCount, lineCount] = await Promise.all([
    ask(`topk(${topCount}, ${counts})`),
    ask(`count(${counts})`),
    ask(`sum(${lines})`),
  ]);
  const only = ({ series }: SeriesPage) => Number(series[0]?.points.at(-1)?.[1] ?? 0);
  return {
    values: top.series.map(({ labels, points }) =>
      [labels[field.label] ?? "", Number(points.at(-1)?.[1] ?? 0)] as const
    ).sort((a, b) => b[1] - a[1]),
    valueCount: only(valueCount),
    lineCount: only(lineCount),
  };
}
