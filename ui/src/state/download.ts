// Saves lines as a file: those that are loaded, or all that the query matches, fetched page by page. And series. Invariant: the
// file holds all of these lines in their order, and its name says of when they are; what was cut off is said.
import { signal } from "@preact/signals-core";
import { formatRfc3339 } from "../model/nanoseconds.ts";
import { allLabels, type Entry, type Labels, type Row } from "../model/row.ts";
import { printSelector } from "../model/selector.ts";
import { address } from "./address.ts";
import { rows, series, shown } from "./explore.ts";
import { answerRowsMax, pagesOfQuery } from "./pagesOfQuery.ts";
import { say } from "./screen.ts";

export type FileFormat = "txt" | "jsonl" | "csv";

/** The file that is being fetched: lines so far, and what stops it. */
export const saving = signal<{ readonly lines: number; readonly stop: () => void } | undefined>(
  undefined,
);

/** Saves the lines that are held. */
export function downloadLoaded(format: FileFormat): void {
  const buffer = rows.peek();
  const loaded: Row[] = [];
  for (let sequence = buffer.first; sequence < buffer.end; sequence++) {
    const row = buffer.at(sequence);
    if (row !== undefined) loaded.push(row);
  }
  const text = new LinesText(format);
  text.add(loaded);
  saveFile(text.blob(), `lines-${rangeName()}.${format}`);
}

/** Fetches all lines of the query and range on the screen, and saves them. */
export async function downloadAll(format: FileFormat): Promise<void> {
  const run = shown.peek();
  if (run === undefined || saving.peek() !== undefined) return;
  const abort = new AbortController();
  const { order } = address.peek();
  const pages = pagesOfQuery(run.query, run.range, order, answerRowsMax, abort.signal);
  const text = new LinesText(format);
  const tell = () =>
    saving.value = {
      lines: text.lines,
      stop: () => abort.abort(),
    };
  tell();
  try {
    while (!(await pages.next((page) => text.add(page))) && text.characters < charactersMax) tell();
    saveFile(text.blob(), `lines-${rangeName()}.${format}`);
    if (text.characters >= charactersMax) {
      say(`Stopped at ${text.lines.toLocaleString("en")} lines: a file holds 1 GB`);
    }
  } catch (cause) {
    say(abort.signal.aborted ? "Stopped; nothing was saved" : String((cause as Error).message));
  } finally {
    saving.value = undefined;
  }
}

const charactersMax = 1_000_000_000;

/** Lines as text, added page by page; the text is handed to the browser at once, which may keep it on disk. */
class LinesText {
  lines = 0;
  characters = 0;
  readonly #format: FileFormat;
  readonly #parts: Blob[] = [];
  readonly #columns = new Set<string>();

  constructor(format: FileFormat) {
    this.#format = format;
  }

  add(page: readonly Row[]): void {
    const entries = page.filter((row) => row.kind === "entry");
    const text = this.#print(entries);
    this.lines += entries.length;
    this.characters += text.length;
    this.#parts.push(new Blob([text]));
  }

  blob(): Blob {
    const head = this.#format === "csv" ? csv([["time", "line", ...this.#columns]]) : "";
    return new Blob([head, ...this.#parts]);
  }

  #print(entries: readonly Entry[]): string {
    if (this.#format === "txt") return entries.map(({ line }) => `${line}\n`).join("");
    if (this.#format === "jsonl") return entries.map(asJson).join("");
    const all = entries.map(allLabels);
    for (const labels of all) for (const name of Object.keys(labels)) this.#columns.add(name);
    const columns = [...this.#columns];
    return csv(entries.map((entry, i) => [
      formatRfc3339(BigInt(entry.nanoseconds)),
      entry.line,
      ...columns.map((name) => all[i]?.[name] ?? ""),
    ]));
  }
}

function asJson(entry: Entry): string {
  const { nanoseconds: timestamp, line } = entry;
  return `${JSON.stringify({ timestamp, labels: allLabels(entry), line })}\n`;
}

/** Saves the series shown, a row for each point. */
export function downloadSeries(format: "csv" | "json" | "txt"): void {
  const { series: all } = series.peek() ?? { series: [] };
  const name = `series-${rangeName()}.${format}`;
  if (format === "json") return saveFile(new Blob([JSON.stringify(all, null, 1)]), name);
  if (format === "txt") {
    const lines = all.flatMap((each) =>
      each.points.map(([seconds, value]) =>
        `${new Date(seconds * 1000).toISOString()}\t${value}\t${nameOf(each.labels)}\n`
      )
    );
    return saveFile(new Blob(lines), name);
  }
  const labels = [...new Set(all.flatMap((each) => Object.keys(each.labels)))].sort();
  const points = all.flatMap((each) =>
    each.points.map(([seconds, value]) => [
      new Date(seconds * 1000).toISOString(),
      ...labels.map((label) => each.labels[label] ?? ""),
      value,
    ])
  );
  saveFile(new Blob([csv([["time", ...labels, "value"], ...points])]), name);
}

function nameOf(labels: Labels): string {
  return printSelector(
    Object.entries(labels).map(([name, value]) => ({ name, operator: "=", value })),
  );
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

function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
