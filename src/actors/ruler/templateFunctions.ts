/** What templates of alerts can call: LogQL's functions, Prometheus' over them, and `lines`, the newest log lines that an
 *  alert is about. Questions to the store (query, lines) are asked through the AlertContext, whose answers are there when the
 *  template runs. https://prometheus.io/docs/prometheus/latest/configuration/template_reference/ */
import { parsePrometheusDuration } from "../../logql/units.ts";
import { GoTime } from "../../logql/templates/goTime.ts";
import {
  type CallSite,
  fixed,
  type FunctionTable,
  siteFunction,
  variadic,
} from "../../logql/templates/functions/templateFunction.ts";
import { utc } from "../../logql/templates/zone.ts";
import { logqlFunctions } from "../../logql/templates/functions/mod.ts";
import { TemplateFailed } from "../../logql/templates/error.ts";
import { isList, LabelMap, typeName, type Value } from "../../logql/templates/value.ts";
import { compileTextRegex, RegexInvalid } from "../../streams/regex.ts";
import { exploreLink } from "./exploreLink.ts";
import * as human from "./humanize.ts";

/** What the functions need to know besides their arguments. */
export interface AlertQuestions {
  /** An instant query at the time of the evaluation. */
  readonly query: (expr: string) => Value;
  /** The newest lines of the alert's own query. */
  readonly lines: (count: number) => Value;
  readonly nowMs: number;
  readonly externalUrl: string;
}

/** The functions over `questions`, which is asked while a template runs. */
export function alertFunctions(questions: () => AlertQuestions): FunctionTable {
  return new Map([
    ...logqlFunctions,
    ["query", fixed(["string"], (expr) => questions().query(expr))],
    ["lines", fixed(["int"], (count) => questions().lines(Number(count)))],
    ["first", fixed(["any"], first)],
    ["label", fixed(["string", "any"], (name, sample) => labelsOf(sample).get(name) ?? "")],
    ["value", fixed(["any"], (sample) => sampleOf(sample).get("Value") ?? null)],
    ["strvalue", fixed(["any"], (sample) => labelsOf(sample).get("__value__") ?? "")],
    ["sortByLabel", fixed(["string", "any"], sortByLabel)],
    ["humanize", number(human.humanize)],
    ["humanize1024", number(human.humanize1024)],
    ["humanizeDuration", number(human.humanizeDuration)],
    ["humanizePercentage", number(human.humanizePercentage)],
    ["humanizeTimestamp", number(human.humanizeTimestamp)],
    ["toTime", fixed(["any"], (value) => timeOf(numberOf(value)))],
    ["now", fixed([], () => questions().nowMs / 1000)],
    ["parseDuration", fixed(["string"], seconds)],
    ["title", fixed(["string"], title)],
    ["toUpper", fixed(["string"], (text) => text.toUpperCase())],
    ["toLower", fixed(["string"], (text) => text.toLowerCase())],
    ["match", fixed(["string", "string"], (pattern, text) => regexOf(pattern).test(text))],
    ["reReplaceAll", siteFunction(["string", "string", "string"], replaceAll)],
    ["stripPort", fixed(["string"], stripPort)],
    ["stripDomain", fixed(["string"], stripDomain)],
    ["safeHtml", fixed(["string"], (text) => text)],
    ["externalURL", fixed([], () => questions().externalUrl)],
    ["pathPrefix", fixed([], () => pathOf(questions().externalUrl))],
    ["graphLink", fixed(["string"], (expr) => exploreLink("", expr))],
    ["tableLink", fixed(["string"], (expr) => exploreLink("", expr))],
    ["args", variadic([], (values) => new Map(values.map((value, at) => [`arg${at}`, value])))],
  ]);
}

/** A sample of `query`, as templates see it. */
export function sampleValue(
  labels: Iterable<readonly [string, string]>,
  value: number,
): Value {
  return new Map<string, Value>([["Labels", new LabelMap(labels)], ["Value", value]]);
}

function number(format: (value: number) => string) {
  return fixed(["any"], (value) => format(numberOf(value)));
}

/** Numbers come as such, or as the text of a label. */
function numberOf(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string") {
    if (/^[+-]?inf(inity)?$/i.test(value)) return value.startsWith("-") ? -Infinity : Infinity;
    if (/^nan$/i.test(value)) return NaN;
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) return Number(value);
    throw new TemplateFailed(`"${value.slice(0, 60)}" is not a number`);
  }
  throw new TemplateFailed(`${typeName(value)} is not a number`);
}

function sampleOf(value: Value): ReadonlyMap<string, Value> {
  if (value instanceof Map && value.has("Labels")) return value;
  throw new TemplateFailed(`needs a sample, as first and range over query give it`);
}

function labelsOf(value: Value): ReadonlyMap<string, Value> {
  return sampleOf(value).get("Labels") as LabelMap;
}

function first(list: Value): Value {
  if (isList(list) && list.length > 0) return list[0]!;
  throw new TemplateFailed("first() called on a vector with no elements; test it with if or with");
}

function sortByLabel(name: string, list: Value): Value {
  if (!isList(list)) throw new TemplateFailed("sortByLabel needs the samples of a query");
  const key = (sample: Value) => String(labelsOf(sample).get(name) ?? "");
  return [...list].sort((a, b) => key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}

function timeOf(secondsSince: number): Value {
  if (!Number.isFinite(secondsSince)) throw new TemplateFailed(`${secondsSince} is no time`);
  return new GoTime(BigInt(Math.round(secondsSince * 1000)) * 1_000_000n, utc);
}

function seconds(text: string): number {
  const ns = parsePrometheusDuration(text);
  if (ns === null) {
    throw new TemplateFailed(`"${text.slice(0, 60)}" is not a duration such as 1h30m`);
  }
  return Number(ns) / 1e9;
}

function title(text: string): string {
  return text.replace(
    /(^|[^\p{L}\p{N}_'])(\p{Ll})/gu,
    (_, before, letter) => before + letter.toUpperCase(),
  );
}

function regexOf(pattern: string) {
  try {
    return compileTextRegex(pattern);
  } catch (error) {
    throw error instanceof RegexInvalid ? new TemplateFailed(error.message) : error;
  }
}

/** As LogQL's regexReplaceAll, in Prometheus' order of arguments. */
function replaceAll(site: CallSite, pattern: string, replacement: string, text: string): Value {
  return logqlFunctions.get("regexReplaceAll")!.call(site, [pattern, text, replacement]);
}

function stripPort(host: string): string {
  return host.replace(/^(\[[^\]]*\]|[^:]*):\d+$/, "$1").replace(/^\[(.*)\]$/, "$1");
}

/** Addresses have no domain. */
function stripDomain(hostPort: string): string {
  const host = stripPort(hostPort);
  if (/^[\d.]+$/.test(host) || host.includes(":")) return hostPort;
  const dot = hostPort.indexOf(".");
  return dot < 0 ? hostPort : hostPort.slice(0, dot) + (/:\d+$/.exec(hostPort)?.[0] ?? "");
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname.replace(/\/$/, "") : "";
}
