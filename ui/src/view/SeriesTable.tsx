// The answer to a query that computes numbers, as a table: per series the newest value, the extremes and the points.
import type { Series } from "../api/loki.ts";
import { printSelector } from "../model/selector.ts";

const seriesMax = 500;

export function SeriesTable({ series }: { series: readonly Series[] }) {
  if (series.length === 0) {
    return <p class="empty">The query computed no points in this time range.</p>;
  }
  return (
    <div class="series" tabIndex={0} role="region" aria-label="Series">
      <table>
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col">Newest</th>
            <th scope="col">Least</th>
            <th scope="col">Most</th>
            <th scope="col">Points</th>
          </tr>
        </thead>
        <tbody>
          {series.slice(0, seriesMax).map((each) => <SeriesRow key={nameOf(each)} series={each} />)}
        </tbody>
      </table>
      {series.length > seriesMax && (
        <p class="hint">{series.length - seriesMax} more series: aggregate further to see fewer.</p>
      )}
    </div>
  );
}

function SeriesRow({ series }: { series: Series }) {
  let least = Infinity;
  let most = -Infinity;
  for (const [, value] of series.points) {
    least = Math.min(least, Number(value));
    most = Math.max(most, Number(value));
  }
  return (
    <tr>
      <th scope="row">
        <code>{nameOf(series)}</code>
      </th>
      <td>{series.points.at(-1)?.[1] ?? ""}</td>
      <td>{format(least)}</td>
      <td>{format(most)}</td>
      <td>{series.points.length}</td>
    </tr>
  );
}

function nameOf(series: Series): string {
  return printSelector(
    Object.entries(series.labels).map(([name, value]) => ({ name, operator: "=", value })),
  );
}

function format(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "";
}
