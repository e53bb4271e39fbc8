// What the sidebar offers: label names and the values of those unfolded. Owns fetching them; which are chosen is read from
// the query (model/selector.ts). Invariant: a label's values are those that some stream has together with the rest of the
// selector, so that choosing one never leads to an empty answer by itself.
import { signal } from "@preact/signals-core";
import { presentMoment } from "../api/headStart.ts";
import { labelNames, labelValues } from "../api/loki.ts";
import { ApiError } from "../api/request.ts";
import { printSelector, readSelector } from "../model/selector.ts";
import { type ResolvedRange, resolveRange } from "../model/timeRange.ts";
import { address } from "./address.ts";

export type Loaded<Value> = Value | ApiError | "loading";

/** Names of all labels in the range; absent before the first answer. */
export const names = signal<Loaded<readonly string[]>>("loading");
/** The unfolded labels and their values. */
export const values = signal<ReadonlyMap<string, Loaded<readonly string[]>>>(new Map());

let loadingNames = new AbortController();
const loadingValues = new Map<string, AbortController>();

/** Fetches names and the values of unfolded labels again; what is known stays until the answer. */
export async function refresh(): Promise<void> {
  loadingNames.abort();
  loadingNames = new AbortController();
  const { signal: abort } = loadingNames;
  const range = presentRange();
  if (typeof range === "string") return void (names.value = new ApiError(400, range));
  for (const name of values.peek().keys()) void loadValues(name);
  try {
    const found = await labelNames(range, abort);
    if (abort.aborted) return;
    names.value = found;
    if (values.peek().size === 0) unfoldSome(found);
  } catch (cause) {
    if (!abort.aborted) names.value = unlessKnown(names.peek(), asError(cause));
  }
}

/** Unfolds a label, or folds it. */
export function toggleFold(name: string): void {
  if (!values.peek().has(name)) {
    setValues(name, "loading");
    void loadValues(name);
    return;
  }
  loadingValues.get(name)?.abort();
  const next = new Map(values.peek());
  next.delete(name);
  values.value = next;
}

/** Fetches one label's values. */
export async function loadValues(name: string): Promise<void> {
  loadingValues.get(name)?.abort();
  const controller = new AbortController();
  loadingValues.set(name, controller);
  const range = presentRange();
  if (typeof range === "string") return;
  try {
    const found = await labelValues(name, selectorWithout(name), range, controller.signal);
    if (!controller.signal.aborted) setValues(name, found);
  } catch (cause) {
    if (controller.signal.aborted) return;
    setValues(name, unlessKnown(values.peek().get(name), asError(cause)));
  }
}

/** At the start: the labels the query uses, else the one that most likely names where logs come from. */
function unfoldSome(found: readonly string[]): void {
  const selector = readSelector(address.peek().query);
  const used = typeof selector === "string" ? [] : selector.matchers.map((matcher) => matcher.name);
  const likely = ["service_name", "app", "job", "container", "namespace"].filter((n) =>
    found.includes(n)
  );
  const unfolded = used.length > 0 ? new Set(used) : [likely[0] ?? found[0]];
  for (const name of [...unfolded].slice(0, 4)) if (name !== undefined) toggleFold(name);
}

function selectorWithout(name: string): string | undefined {
  const selector = readSelector(address.peek().query);
  if (typeof selector === "string") return undefined;
  const others = selector.matchers.filter((matcher) => matcher.name !== name);
  const positive = others.some((m) =>
    (m.operator === "=" || m.operator === "=~") && m.value !== ""
  );
  return positive ? printSelector(others) : undefined;
}

function presentRange(): ResolvedRange | string {
  const { range, zone } = address.peek();
  return resolveRange(range, presentMoment(), zone);
}

function setValues(name: string, loaded: Loaded<readonly string[]>): void {
  if (loaded !== "loading" && !values.peek().has(name)) return;
  values.value = new Map(values.peek()).set(name, loaded);
}

/** A server that does not answer takes nothing away: what was asked of it says so, and what is known is worth having. */
function unlessKnown(
  known: Loaded<readonly string[]> | undefined,
  error: ApiError,
): Loaded<readonly string[]> {
  return error.status === 0 && Array.isArray(known) ? known : error;
}

function asError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError(0, String(cause));
}
