// Queries this browser ran and those it was told to keep, and the tenants it asked for. Owns their place in the browser's
// storage; they leave it only when the person deletes them or newer ones push them out. Invariant: without storage the page
// works, it only forgets.
import { signal } from "@preact/signals-core";

export interface SavedQuery {
  readonly name: string;
  readonly query: string;
}

/** Newest first. */
export const history = signal<readonly string[]>(read<string>("tailrace.history", isText));
/** By name. */
export const saved = signal<readonly SavedQuery[]>(read<SavedQuery>("tailrace.saved", isSaved));

/** Tenants that were chosen here, newest first: what the box for another one offers. */
export const tenants = signal<readonly string[]>(read<string>("tailrace.tenants", isText));

const tenantsMax = 20;
const historyMax = 50;
const savedMax = 200;
const queryCharactersMax = 8000;

/** Notes that a query was run. */
export function remember(query: string): void {
  const text = query.trim();
  if (text === "" || text.length > queryCharactersMax || history.peek()[0] === text) return;
  const others = history.peek().filter((each) => each !== text);
  history.value = [text, ...others].slice(0, historyMax);
  write("tailrace.history", history.peek());
}

/** Keeps a query under a name; one of the same name is replaced. */
export function save(name: string, query: string): void {
  const others = saved.peek().filter((each) => each.name !== name);
  saved.value = [...others, { name, query }].sort((a, b) => a.name < b.name ? -1 : 1)
    .slice(0, savedMax);
  write("tailrace.saved", saved.peek());
}

/** Forgets a saved query. */
export function unsave(name: string): void {
  saved.value = saved.peek().filter((each) => each.name !== name);
  write("tailrace.saved", saved.peek());
}

/** Notes that a tenant was chosen. */
export function rememberTenant(name: string): void {
  if (name === "") return;
  tenants.value = [name, ...tenants.peek().filter((each) => each !== name)].slice(0, tenantsMax);
  write("tailrace.tenants", tenants.peek());
}

/** Forgets all queries that were run. */
export function clearHistory(): void {
  history.value = [];
  write("tailrace.history", []);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isSaved(value: unknown): boolean {
  const { name, query } = (value ?? {}) as Partial<Record<string, unknown>>;
  return typeof name === "string" && typeof query === "string";
}

function read<Item>(key: string, isItem: (value: unknown) => boolean): readonly Item[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isItem) as Item[] : [];
  } catch {
    return [];
  }
}

function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage may be full or forbidden; the queries then last until the page is left.
  }
}
