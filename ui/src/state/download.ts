// Saves what is loaded as a file. Invariant: the file holds all loaded lines in their order, and its name says of when they
// are.
import { formatRfc3339 } from "../model/nanoseconds.ts";
import { allLabels, type Entry } from "../model/row.ts";
import { rows, series, shown } from "./explore.ts";

export type FileFormat = "txt" | "jsonl" | "csv";

/** Saves the loaded lines. */
export function downloadLines(format: FileFormat): void {
  const buffer = rows.peek();
  const entries: Entry[] = [];
  for (let sequence = buffer.first; sequence < buffer.end; sequence++) {
    const row = buffer.at(sequence);
    if (row?.kind === "entry") entries.push(row);
  }
  const text = format === "csv"
    ? linesAsCsv(entries)
    : entries.map((entry) =>
      format === "txt" ? `${entry.line}\n` : `${
        JSON.stringify({
          timestamp: entry.nanoseconds,
          labels: allLabels(entry),
          line: entry.line,
        })
      }\n`
    ).join("");
  saveFile(text, `lines-${rangeName()}.${format}`);
}

/** Saves the series shown, a row for each point. */
export function downloadSeries(format: "csv" | "json"): void {
  const { series: all } = series.peek() ?? { series: [] };
  const name = `series-${rangeName()}.${format}`;
  if (format === "json") return saveFile(JSON.stringify(all, null, 1), name);
  const labels = [...new Set(all.flatMap((each) => Object.keys(each.labels)))].sort();
  const points = all.flatMap((each) =>
    each.points.map(([seconds, value]) => [
      new Date(seconds * 1000).toISOString(),
      ...labels.map((label) => each.labels[label] ?? ""),
      value,
    ])
  );
  saveFile(csv([["time", ...labels, "value"], ...points]), name);
}

function linesAsCsv(entries: readonly Entry[]): string {
  const all = entries.map(allLabels);
  const labels = [...new Set(all.flatMap((each) => Object.keys(each)))].sort();
  const lines = entries.map((entry, i) => [
    formatRfc3339(BigInt(entry.nanoseconds)),
    ...labels.map((label) => all[i]?.[label] ?? ""),
    entry.line,
  ]);
  return csv([["time", ...labels, "line"], ...lines]);
}

/** RFC 4180. What a spreadsheet would take for a formula is quoted away with an apostrophe. */
function csv(table: readonly (readonly string[])[]): string {
  const cell = (value: string) => {
    const safe = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return table.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

function rangeName(): string {
  const end = shown.peek()?.range.end ?? 0n;
  return formatRfc3339(end).slice(0, 19).replaceAll(":", "");
}

function saveFile(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text]));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
