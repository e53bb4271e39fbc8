// What the editor offers at a place: labels and values from the server (narrowed by what is chosen already), fields it
// detected, stages and functions. place.ts owns where the caret stands. Invariant: answers are kept for a while, so that
// typing a word asks the server once.
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { insertCompletionText } from "@codemirror/autocomplete";
import { detectedFields, detectedFieldValues } from "../api/fields.ts";
import { labelNames, labelValues } from "../api/loki.ts";
import { nowNanoseconds } from "../model/nanoseconds.ts";
import { printSelector, readSelector } from "../model/selector.ts";
import { type ResolvedRange, resolveRange } from "../model/timeRange.ts";
import { address } from "../state/address.ts";
import { placeAt } from "./place.ts";
import { aggregations, rangeFunctions, stages } from "./tokens.ts";

/** CodeMirror's completion source. */
export async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const text = context.state.doc.toString();
  const place = placeAt(text.slice(0, context.pos));
  if (place.kind === "nothing") return null;
  if (place.kind === "pipeline" && !context.explicit) return null;
  if (place.kind === "expression" && !context.explicit && place.from === context.pos) return null;
  const found = await offers(place, text);
  // Of thousands of values those are offered that hold what is typed: none is out of reach, and drawing stays cheap.
  const typed = text.slice(place.from, context.pos).toLowerCase();
  const options = found.length <= optionsMax
    ? found
    : found.filter(({ label }) => label.toLowerCase().includes(typed)).slice(0, optionsMax);
  if (context.aborted || options.length === 0) return null;
  const inString = place.kind === "labelValue" || place.kind === "fieldValue";
  if (options.length < found.length) return { from: place.from, options };
  return {
    from: place.from,
    options,
    validFor: inString ? /^[^"`\\]*$/ : /^\w*$/,
  };
}

type Place = Exclude<ReturnType<typeof placeAt>, { kind: "nothing" }>;

async function offers(place: Place, text: string): Promise<Completion[]> {
  switch (place.kind) {
    case "expression":
      return [
        { label: "{", type: "selector", detail: "lines of streams", apply: snippet("{", "}") },
        ...functionOffers(rangeFunctions, "({", "}[$__auto])"),
        ...functionOffers(aggregations, "(", ")"),
      ];
    case "labelName":
      return (await names()).map((label) => ({
        label,
        type: "label",
        apply: snippet(`${label}="`, '"'),
      }));
    case "labelValue":
      return (await values(place.name, text)).map((value) => valueOffer(value, place.quote));
    case "fieldValue":
      return (await fieldValues(place.name, text)).map((value) => valueOffer(value, place.quote));
    case "grouping":
      return [...await names(), ...await fields(text)].map((label) => ({
        label,
        type: "label",
      }));
    case "stage":
      return [
        ...stages.map(([label, detail]) => ({ label, detail, type: "stage", boost: 1 })),
        ...(await fields(text)).map((label) => ({ label, type: "field", detail: "field" })),
      ];
    case "pipeline":
      return lineFilters;
    case "range":
      return ["$__auto", "1m", "5m", "15m", "1h", "6h", "1d"].map((label) => ({
        label,
        type: "range",
        apply: `${label}]`,
      }));
  }
}

const lineFilters: Completion[] = [
  { label: "|= ", detail: "lines that contain a text", apply: snippet('|= "', '"'), type: "stage" },
  { label: "!= ", detail: "lines without a text", apply: snippet('!= "', '"'), type: "stage" },
  {
    label: "|~ ",
    detail: "lines that match an expression",
    apply: snippet('|~ "', '"'),
    type: "stage",
  },
  { label: "!~ ", detail: "lines that do not", apply: snippet('!~ "', '"'), type: "stage" },
  ...stages.filter(([name]) => name !== "unwrap").map(([name, detail]) => ({
    label: `| ${name}`,
    detail,
    type: "stage",
  })),
];

function functionOffers(
  functions: readonly (readonly [string, string])[],
  before: string,
  after: string,
): Completion[] {
  return functions.map(([label, detail]) => ({
    label,
    detail,
    type: "function",
    apply: snippet(`${label}${before}`, after),
  }));
}

/** Writes `before` and `after` and puts the caret between them. */
function snippet(before: string, after: string): NonNullable<Completion["apply"]> {
  return (view, _completion, from, to) =>
    view.dispatch({
      changes: { from, to, insert: before + after },
      selection: { anchor: from + before.length },
      userEvent: "input.complete",
    });
}

/** Writes a value and closes its string, unless it is closed already. */
function valueOffer(value: string, quote: string): Completion {
  return {
    label: value,
    type: "value",
    apply: (view, _completion, from, to) => {
      const escaped = quote === '"' ? JSON.stringify(value).slice(1, -1) : value;
      const isClosed = view.state.sliceDoc(to, to + 1) === quote;
      const text = isClosed ? escaped : `${escaped}${quote}`;
      view.dispatch(insertCompletionText(view.state, text, from, to));
      if (isClosed) view.dispatch({ selection: { anchor: from + escaped.length + 1 } });
    },
  };
}

/** Answers outlive the completion that asked: the next key press wants the same. */
const unending = new AbortController().signal;
const optionsMax = 2000;
/** Of one answer; no person searches among more. */
const keptMax = 200_000;
const keptMs = 30_000;
const kept = new Map<string, { readonly until: number; readonly answer: Promise<string[]> }>();

/** An answer of the last half minute, or a new one; failures offer nothing and are asked again. */
function ask(key: string, fetch: () => Promise<string[]>): Promise<string[]> {
  const now = Date.now();
  for (const [each, { until }] of kept) if (until < now) kept.delete(each);
  const found = kept.get(key);
  if (found !== undefined) return found.answer;
  const answer = fetch().then((all) => all.slice(0, keptMax)).catch(() => {
    kept.delete(key);
    return [];
  });
  kept.set(key, { until: now + keptMs, answer });
  return answer;
}

function presentRange(): ResolvedRange | undefined {
  const { range, zone } = address.peek();
  const resolved = resolveRange(range, nowNanoseconds(), zone);
  return typeof resolved === "string" ? undefined : resolved;
}

async function names(): Promise<string[]> {
  const range = presentRange();
  if (range === undefined) return [];
  return await ask("names", () => labelNames(range, unending));
}

async function values(name: string, text: string): Promise<string[]> {
  const range = presentRange();
  if (range === undefined) return [];
  const rest = selectorWithout(text, name);
  return await ask(
    JSON.stringify(["values", name, rest]),
    () => labelValues(name, rest, range, unending),
  );
}

async function fields(text: string): Promise<string[]> {
  const range = presentRange();
  const selector = selectorWithout(text, "");
  if (range === undefined || selector === undefined) return [];
  return await ask(JSON.stringify(["fields", selector]), async () => {
    const found = await detectedFields(selector, range, unending);
    return found.map(({ label }) => label);
  });
}

async function fieldValues(name: string, text: string): Promise<string[]> {
  const range = presentRange();
  const selector = selectorWithout(text, "");
  if (range === undefined || selector === undefined) return [];
  if (name === "detected_level" || name === "level") {
    return ["error", "warn", "info", "debug", "trace", "critical"];
  }
  return await ask(
    JSON.stringify(["fieldValues", name, selector]),
    () => detectedFieldValues(name, selector, range, unending),
  );
}

/** The query's selector without the matchers of one label; undefined when none can be read or none is left. */
function selectorWithout(text: string, name: string): string | undefined {
  // A value half typed makes the whole unreadable: the matchers before it are what counts.
  const selector = readSelector(text);
  if (typeof selector !== "string") {
    const others = selector.matchers.filter((matcher) => matcher.name !== name);
    return others.length === 0 ? undefined : printSelector(others);
  }
  const before = /\{(?:[^{}"`]|"(?:\\.|[^"\\])*"|`[^`]*`)*,/.exec(text)?.[0];
  if (before === undefined) return undefined;
  const repaired = readSelector(`${before.slice(0, -1)}}`);
  if (typeof repaired === "string") return undefined;
  const others = repaired.matchers.filter((matcher) => matcher.name !== name);
  return others.length === 0 ? undefined : printSelector(others);
}
