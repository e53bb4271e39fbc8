// Series as a table: newest value, extremes, average; sorted by any of them. Under a graph it is the legend: a click on a
// name shows or hides the series, with Ctrl all others.
import { type Signal, useSignal } from "@preact/signals";
import type { Series } from "../api/loki.ts";
import { printSelector } from "../model/selector.ts";
import { formatValue } from "./figures.ts";

interface Props {
  readonly series: readonly Series[];
  /** The colour of the series at an index, undefined for those not drawn. */
  readonly colourOf?: (index: number) => string | undefined;
  readonly hidden?: Signal<ReadonlySet<string>>;
}

interface Line {
  readonly name: string;
  readonly index: number;
  readonly figures: readonly number[];
}

const seriesMax = 500;
const heads = ["Newest", "Least", "Most", "Average"] as const;

export function SeriesTable({ series, colourOf, hidden }: Props) {
  const sort = useSignal<{ column: number; descending: boolean } | undefined>(undefined);
  const lines = series.slice(0, seriesMax).map(lineOf);
  const { column = 0, descending = true } = sort.value ?? {};
  if (sort.value !== undefined) {
    lines.sort((a, b) =>
      (descending ? -1 : 1) * ((a.figures[column] ?? 0) - (b.figures[column] ?? 0))
    );
  }
  return (
    <div class="series" tabIndex={0} role="region" aria-label="Series">
      <table>
        <thead>
          <tr>
            <th scope="col">Series</th>
            {heads.map((words, i) => (
              <th
                key={words}
                scope="col"
                aria-sort={sort.value?.column !== i
                  ? undefined
                  : descending
                  ? "descending"
                  : "ascending"}
              >
                <button
                  type="button"
                  onClick={() =>
                    sort.value = {
                      column: i,
                      descending: sort.value?.column === i ? !descending : true,
                    }}
                >
                  {words}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.name}>
              <th scope="row">
                <SeriesName
                  name={line.name}
                  colour={colourOf?.(line.index)}
                  names={lines.map(({ name }) => name)}
                  hidden={hidden}
                />
              </th>
              {line.figures.map((value, i) => <td key={heads[i]}>{formatValue(value)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {series.length > seriesMax && (
        <p class="hint">{series.length - seriesMax} more series: aggregate further to see fewer.</p>
      )}
    </div>
  );
}

interface NameProps {
  readonly name: string;
  readonly colour: string | undefined;
  readonly names: readonly string[];
  readonly hidden: Signal<ReadonlySet<string>> | undefined;
}

function SeriesName({ name, colour, names, hidden }: NameProps) {
  if (hidden === undefined || colour === undefined) return <code>{name}</code>;
  const toggle = (event: MouseEvent) => {
    const present = hidden.peek();
    if (event.ctrlKey || event.metaKey) {
      const others = names.filter((each) => each !== name);
      const isAlone = others.every((each) => present.has(each));
      hidden.value = new Set(isAlone ? [] : others);
      return;
    }
    const next = new Set(present);
    if (!next.delete(name)) next.add(name);
    hidden.value = next;
  };
  return (
    <button
      type="button"
      class="series-name"
      aria-pressed={!hidden.value.has(name)}
      title="Show or hide; with Ctrl, only this"
      onClick={toggle}
    >
      <i class="swatch" style={{ background: colour }} />
      <code>{name}</code>
    </button>
  );
}

function lineOf(series: Series, index: number): Line {
  let least = Infinity;
  let most = -Infinity;
  let sum = 0;
  for (const [, text] of series.points) {
    const value = Number(text);
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
  }
  const newest = Number(series.points.at(-1)?.[1] ?? "NaN");
  return {
    name: nameOf(series),
    index,
    figures: [newest, least, most, sum / series.points.length],
  };
}

/** A series by its labels, `{}` when it has none. */
export function nameOf(series: Series): string {
  return printSelector(
    Object.entries(series.labels).map(([name, value]) => ({ name, operator: "=", value })),
  );
}
