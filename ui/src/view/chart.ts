// Series on a canvas, by uPlot: lines, bars, stacked areas. A chunk of its own, loaded when numbers are shown.
// MetricsView.tsx owns the legend and which series are on. Invariant: colours are read from the style sheet when drawn, so
// that a theme change redraws.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface ChartSeries {
  readonly name: string;
  readonly colour: string;
  readonly isShown: boolean;
  /** Seconds to value. */
  readonly points: ReadonlyMap<number, number>;
}

export interface ChartOptions {
  readonly kind: "lines" | "bars" | "stacked";
  readonly start: number;
  readonly end: number;
  readonly stepSeconds: number;
  readonly format: (value: number) => string;
  readonly formatTime: (seconds: number, withDay: boolean) => string;
  /** The moment under the pointer, or undefined. */
  readonly onHover: (seconds: number | undefined) => void;
  readonly onZoom: (start: number, end: number) => void;
}

/** Draws into `host`; gives what removes the drawing. */
export function drawChart(
  host: HTMLElement,
  series: readonly ChartSeries[],
  options: ChartOptions,
): () => void {
  const times = timesOf(options);
  const shown = series.filter(({ isShown }) => isShown);
  const values = shown.map(({ points }) => times.map((time) => points.get(time) ?? null));
  const stacked = options.kind === "stacked" ? stack(values) : values;
  // The sum of all lies behind, the first series before all others.
  const order = options.kind === "stacked"
    ? shown.map((_, i) => shown.length - 1 - i)
    : shown.map((_, i) => i);
  const chart = new uPlot(
    {
      width: Math.max(100, host.clientWidth),
      height: Math.max(100, host.clientHeight),
      legend: { show: false },
      cursor: {
        drag: { setScale: false, x: true, y: false },
        points: { show: options.kind === "lines" },
      },
      scales: { x: { time: true, range: [options.start, options.end] }, y: { range: yRange } },
      axes: axes(host, options),
      series: [{}, ...order.map((i) => seriesOf(shown[i] as ChartSeries, options.kind))],
      hooks: {
        setCursor: [(plot) => {
          const index = plot.cursor.idx;
          const isInside = (plot.cursor.left ?? -1) >= 0 && index != null;
          options.onHover(isInside ? times[index] : undefined);
        }],
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          options.onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
        }],
      },
    },
    [times, ...order.map((i) => stacked[i] as (number | null)[])],
    host,
  );
  const resized = new ResizeObserver(() =>
    chart.setSize({
      width: Math.max(100, host.clientWidth),
      height: Math.max(100, host.clientHeight),
    })
  );
  resized.observe(host);
  return () => {
    resized.disconnect();
    chart.destroy();
  };
}

/** Every step of the range: where a series has no point, its line is broken. */
function timesOf({ start, end, stepSeconds }: ChartOptions): number[] {
  const times: number[] = [];
  for (let i = 0; start + i * stepSeconds <= end; i++) times.push(round(start + i * stepSeconds));
  return times;
}

/** Milliseconds are what the server's timestamps are exact to. */
export function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function stack(values: readonly (number | null)[][]): (number | null)[][] {
  const sums = new Array<number>(values[0]?.length ?? 0).fill(0);
  return values.map((one) =>
    one.map((value, i) => {
      sums[i] = (sums[i] ?? 0) + (value ?? 0);
      return sums[i] ?? null;
    })
  );
}

function yRange(_: uPlot, least: number | null, most: number | null): [number, number] {
  const low = Math.min(0, least ?? 0);
  const high = Math.max(most ?? 1, low + 1e-9);
  return [low < 0 ? low * 1.05 : 0, high * 1.05];
}

function seriesOf({ colour }: ChartSeries, kind: ChartOptions["kind"]): uPlot.Series {
  const common = { stroke: colour, width: 1.5, points: { show: false }, spanGaps: false };
  if (kind === "lines") return { ...common, points: { show: true, size: 3, filter: alone } };
  if (kind === "stacked") return { ...common, width: 1, fill: colour };
  const bars = uPlot.paths.bars?.({ size: [0.7, 60] });
  return { ...common, width: 0, fill: colour, ...(bars === undefined ? {} : { paths: bars }) };
}

/** A point without neighbours has no line: it is drawn as a dot. */
function alone(plot: uPlot, index: number): number[] {
  const values = plot.data[index] ?? [];
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  }
  return found;
}

function axes(host: HTMLElement, { format, formatTime, start, end }: ChartOptions): uPlot.Axis[] {
  const style = getComputedStyle(host);
  const stroke = style.getPropertyValue("color");
  const grid = { stroke: style.getPropertyValue("border-color"), width: 1 };
  const withDay = end - start > 86_400;
  const font = "11px system-ui, sans-serif";
  return [
    {
      stroke,
      font,
      grid: { show: false },
      ticks: grid,
      values: (_, seconds) => seconds.map((each) => formatTime(each, withDay)),
    },
    { stroke, font, grid, ticks: { show: false }, size: 60, values: (_, all) => all.map(format) },
  ];
}
