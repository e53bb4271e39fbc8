// The page's state that a link carries, as the address has it. state/address.ts owns the present one and the browser's history;
// boot.ts reads it before that is loaded. Invariant: what writeAddress wrote is read the same.
import { isZone, type Zone } from "../model/nanoseconds.ts";
import { defaultRange, type TimeRange } from "../model/timeRange.ts";

/** Values of the choices that the address holds; the first of each is the default and not written. */
export const choices = {
  page: ["explore", "kubernetes", "operations"],
  tab: ["lines", "patterns"],
  order: ["newest", "oldest"],
  dedup: ["none", "exact", "numbers", "signature"],
  graph: ["lines", "bars", "stacked", "table", "stat"],
  sort: ["name", "lines", "errors"],
} as const;

export type Choice<Name extends keyof typeof choices> = (typeof choices)[Name][number];

export interface Address {
  readonly page: Choice<"page">;
  readonly query: string;
  readonly range: TimeRange;
  readonly live: boolean;
  readonly tab: Choice<"tab">;
  readonly order: Choice<"order">;
  readonly dedup: Choice<"dedup">;
  readonly graph: Choice<"graph">;
  /** Whether a metric query is asked at the end of the range only. */
  readonly instant: boolean;
  readonly wrap: boolean;
  readonly pretty: boolean;
  /** Labels and fields shown as columns; with none, the line. */
  readonly columns: readonly string[];
  /** The label whose values stand side by side, or empty for one list. */
  readonly split: string;
  readonly histogram: boolean;
  readonly zone: Zone;
  /** Name of the entry that is open in the drawer, or empty. */
  readonly entry: string;
  /** What the workloads are sorted by, and what is looked for among their names. */
  readonly sort: Choice<"sort">;
  readonly find: string;
  /** The tenant asked for, or empty to let the server or a proxy decide. */
  readonly tenant: string;
}

/** A phone is too narrow for lines that go on beyond it. */
const wrapDefault = matchMedia("(max-width: 899px)").matches;

/** Prints an address as `?...`, defaults left out; empty when all is default. */
export function writeAddress(state: Address): string {
  const parameters = new URLSearchParams();
  if (state.page !== "explore") parameters.set("page", state.page);
  if (state.query !== "") parameters.set("q", state.query);
  if (state.range.from !== defaultRange.from) parameters.set("from", state.range.from);
  if (state.range.to !== defaultRange.to) parameters.set("to", state.range.to);
  if (state.live) parameters.set("live", "1");
  for (const name of ["tab", "order", "dedup", "graph"] as const) {
    if (state[name] !== choices[name][0]) parameters.set(name, state[name]);
  }
  if (state.instant) parameters.set("instant", "1");
  if (state.wrap !== wrapDefault) parameters.set("wrap", state.wrap ? "1" : "0");
  if (state.pretty) parameters.set("pretty", "1");
  if (state.columns.length > 0) parameters.set("columns", state.columns.join(","));
  if (state.split !== "") parameters.set("split", state.split);
  if (!state.histogram) parameters.set("volume", "0");
  if (state.zone !== "local") parameters.set("tz", state.zone);
  if (state.entry !== "") parameters.set("entry", state.entry);
  if (state.page === "kubernetes") {
    if (state.sort !== choices.sort[0]) parameters.set("sort", state.sort);
    if (state.find !== "") parameters.set("find", state.find);
  }
  if (state.tenant !== "") parameters.set("tenant", state.tenant);
  return parameters.size === 0 ? "" : `?${parameters}`;
}

/** Reads `?...`; what is not there or makes no sense is the default. */
export function readAddress(search: string): Address {
  const parameters = new URLSearchParams(search);
  const text = (name: string) => parameters.get(name) ?? "";
  const choice = <Name extends keyof typeof choices>(name: Name): Choice<Name> => {
    const known: readonly string[] = choices[name];
    return (known.includes(text(name)) ? text(name) : known[0]) as Choice<Name>;
  };
  return {
    page: choice("page"),
    query: text("q"),
    range: {
      from: parameters.get("from") ?? defaultRange.from,
      to: parameters.get("to") ?? defaultRange.to,
    },
    live: text("live") === "1",
    tab: choice("tab"),
    order: choice("order"),
    dedup: choice("dedup"),
    graph: choice("graph"),
    instant: text("instant") === "1",
    wrap: text("wrap") === "" ? wrapDefault : text("wrap") === "1",
    pretty: text("pretty") === "1",
    columns: text("columns").split(",").filter((name) => name !== ""),
    split: text("split"),
    histogram: text("volume") !== "0",
    zone: isZone(text("tz")) ? text("tz") : "local",
    entry: text("entry"),
    sort: choice("sort"),
    find: text("find"),
    tenant: text("tenant"),
  };
}
