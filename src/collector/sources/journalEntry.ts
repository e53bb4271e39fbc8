/** Entries of the journal as `journalctl --output=json --all` prints them, one a line
 *  (https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-json-format): a field is text, an array of numbers if it is not
 *  printable text, an array of those if it occurs several times. Pure; Journal.ts owns the program. */

export interface JournalEntry {
  readonly cursor: string;
  /** When journald received it, microseconds since 1970. */
  readonly realtimeUs: number;
  /** By name in capitals, without the addresses that begin with two underscores. Of several values the last, as
   *  Promtail has it. */
  readonly fields: ReadonlyMap<string, string>;
  /** The message as it was logged, undefined if there is none. */
  readonly message: Uint8Array | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Throws if the line is no entry. */
export function parseJournalEntry(line: string): JournalEntry {
  const object = JSON.parse(line) as Record<string, unknown>;
  const cursor = object["__CURSOR"];
  const realtimeUs = Number(object["__REALTIME_TIMESTAMP"]);
  if (typeof cursor !== "string" || !Number.isFinite(realtimeUs)) {
    throw new Error("it has no __CURSOR or no __REALTIME_TIMESTAMP");
  }
  const fields = new Map<string, string>();
  let message: Uint8Array | undefined;
  for (const [name, value] of Object.entries(object)) {
    if (name.startsWith("__")) continue;
    const bytes = bytesOf(value);
    if (bytes === undefined) continue;
    if (name === "MESSAGE") message = bytes;
    fields.set(name, decoder.decode(bytes));
  }
  return { cursor, realtimeUs, fields, message };
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (typeof value === "string") return encoder.encode(value);
  if (!Array.isArray(value)) return undefined;
  if (value.every((item) => typeof item === "number")) return Uint8Array.from(value);
  return bytesOf(value.at(-1));
}

/** All fields as JSON, sorted by name: the line that `json: true` asks for. */
export function journalJson({ fields }: JournalEntry): string {
  return JSON.stringify(Object.fromEntries([...fields].sort(([a], [b]) => a < b ? -1 : 1)));
}

const priorities = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];

/** What relabel rules see of an entry: `__journal_<field>`, and the priority in words. */
export function journalLabels(
  { fields }: JournalEntry,
  constant: Readonly<Record<string, string>>,
): Map<string, string> {
  const labels = new Map<string, string>();
  for (const [name, value] of fields) labels.set(`__journal_${name.toLowerCase()}`, value);
  const priority = fields.get("PRIORITY");
  if (priority !== undefined) {
    labels.set("__journal_priority_keyword", priorities[Number(priority)] ?? priority);
  }
  for (const [name, value] of Object.entries(constant)) labels.set(name, value);
  return labels;
}
