/** Go's time layouts: a sample of the moment Mon Jan 2 15:04:05 2006 -0700 (MST), whose parts stand
 *  for those of the time to print or read. https://pkg.go.dev/time#pkg-constants has the rules. */
import { calendarSeconds, GoTime, type TimeFields } from "./goTime.ts";
import { fixedZone, localToUnix, utc, type Zone } from "./zone.ts";

type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "field"; readonly field: string }
  /** Fractions of a second; `trims` drops zeros at the end. */
  | {
    readonly kind: "fraction";
    readonly separator: string;
    readonly digits: number;
    readonly trims: boolean;
  };

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Longer ones first where one begins another. "Jan" and "Mon" do not begin a lower-case word. */
const fieldForm = new RegExp(
  "January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|01|02|03|04|05|06|15|PM|pm|" +
    "[-Z]07:00:00|[-Z]070000|[-Z]07:00|[-Z]0700|[-Z]07|1|2|3|4|5|[.,]0+(?!\\d)|[.,]9+(?!\\d)",
  "g",
);

const layoutsMax = 256;
const layouts = new Map<string, ReadonlyArray<Part>>();

function partsOf(layout: string): ReadonlyArray<Part> {
  const known = layouts.get(layout);
  if (known !== undefined) return known;
  const parts: Part[] = [];
  let end = 0;
  for (const match of layout.matchAll(fieldForm)) {
    const [text] = match;
    if (match.index > end) parts.push({ kind: "text", text: layout.slice(end, match.index) });
    end = match.index + text.length;
    if (text[0] === "." || text[0] === ",") {
      const trims = text[1] === "9";
      parts.push({ kind: "fraction", separator: text[0], digits: text.length - 1, trims });
    } else parts.push({ kind: "field", field: text });
  }
  if (end < layout.length) parts.push({ kind: "text", text: layout.slice(end) });
  if (layouts.size >= layoutsMax) layouts.clear();
  layouts.set(layout, parts);
  return parts;
}

export function formatTime(layout: string, time: GoTime): string {
  const fields = time.fields;
  let text = "";
  for (const part of partsOf(layout)) {
    if (part.kind === "text") text += part.text;
    else if (part.kind === "field") text += formatField(part.field, fields);
    else text += formatFraction(part, fields.nanosecond);
  }
  return text;
}

/** What printing a time without a layout gives. */
export function timeText(time: GoTime): string {
  return formatTime("2006-01-02 15:04:05.999999999 -0700 MST", time);
}

function formatFraction(part: Part & { kind: "fraction" }, nanosecond: number): string {
  const digits = String(nanosecond).padStart(9, "0").slice(0, part.digits).padEnd(part.digits, "0");
  if (!part.trims) return part.separator + digits;
  const trimmed = digits.replace(/0+$/, "");
  return trimmed === "" ? "" : part.separator + trimmed;
}

function formatField(field: string, time: TimeFields): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const hour = time.hour % 12 || 12;
  switch (field) {
    case "2006":
      return (time.year < 0 ? "-" : "") + String(Math.abs(time.year)).padStart(4, "0");
    case "06":
      return two(((time.year % 100) + 100) % 100);
    case "January":
      return months[time.month - 1]!;
    case "Jan":
      return months[time.month - 1]!.slice(0, 3);
    case "01":
      return two(time.month);
    case "1":
      return String(time.month);
    case "Monday":
      return days[time.weekday]!;
    case "Mon":
      return days[time.weekday]!.slice(0, 3);
    case "02":
      return two(time.day);
    case "_2":
      return String(time.day).padStart(2);
    case "2":
      return String(time.day);
    case "002":
      return String(time.yearDay).padStart(3, "0");
    case "__2":
      return String(time.yearDay).padStart(3);
    case "15":
      return two(time.hour);
    case "03":
      return two(hour);
    case "3":
      return String(hour);
    case "04":
      return two(time.minute);
    case "4":
      return String(time.minute);
    case "05":
      return two(time.second);
    case "5":
      return String(time.second);
    case "PM":
      return time.hour >= 12 ? "PM" : "AM";
    case "pm":
      return time.hour >= 12 ? "pm" : "am";
    case "MST":
      return time.zoneName === "" ? formatOffset("-0700", time.offsetSeconds) : time.zoneName;
    default:
      return formatOffset(field, time.offsetSeconds);
  }
}

/** `-0700`, `Z07:00` and their kin; a Z stands for no offset. */
function formatOffset(field: string, offsetSeconds: number): string {
  if (field[0] === "Z" && offsetSeconds === 0) return "Z";
  const size = Math.abs(offsetSeconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const colon = field.includes(":") ? ":" : "";
  let text = `${offsetSeconds < 0 ? "-" : "+"}${two(size / 3600)}`;
  if (field.length > 3) text += `${colon}${two(size % 3600 / 60)}`;
  if (field.length > 6) text += `${colon}${two(size % 60)}`;
  return text;
}

/** What a text says, as far as its layout has it. */
interface Reading {
  year: number;
  month: number;
  day: number;
  yearDay: number | null;
  hour: number;
  minute: number;
  second: number;
  nanosecond: number;
  afternoon: boolean | null;
  offsetSeconds: number | null;
  zoneName: string | null;
}

/** Reads a text of a layout; a time without a zone is one of `zone`. Answers what is wrong as text.
 *  Parts that the layout lacks are those of 1 January of year 0, as in Go. */
export function parseTime(layout: string, text: string, zone: Zone): GoTime | string {
  const reading: Reading = {
    year: 0,
    month: 1,
    day: 1,
    yearDay: null,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    afternoon: null,
    offsetSeconds: null,
    zoneName: null,
  };
  const wrong = (at: number, wanted: string) =>
    `cannot read time ${JSON.stringify(text.slice(0, 100))} as ${JSON.stringify(layout)}: ` +
    `expected ${wanted} at ${JSON.stringify(text.slice(at, at + 20))}`;
  let at = 0;
  const parts = partsOf(layout);
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    const next = part.kind === "text"
      ? readText(part.text, text, at)
      : part.kind === "fraction"
      ? readFraction(part, text, at, reading)
      : readField(part.field, text, at, reading, parts[index + 1]);
    if (next < 0) return wrong(at, JSON.stringify(nameOf(part)));
    at = next;
  }
  if (at < text.length) return wrong(at, "the end");
  const problem = outOfRange(reading);
  if (problem !== null) return `time ${JSON.stringify(text)}: ${problem} out of range`;
  return momentOf(reading, zone);
}

function nameOf(part: Part): string {
  if (part.kind === "text") return part.text;
  return part.kind === "field" ? part.field : part.separator + "0".repeat(part.digits);
}

/** Runs of spaces in a layout stand for runs of spaces. */
function readText(wanted: string, text: string, start: number): number {
  let at = start;
  for (let index = 0; index < wanted.length; index++) {
    if (wanted[index] === " ") {
      if (at < text.length && text[at] !== " ") return -1;
      while (wanted[index + 1] === " ") index++;
      while (text[at] === " ") at++;
    } else if (text[at++] !== wanted[index]) return -1;
  }
  return at;
}

function readFraction(
  part: Part & { kind: "fraction" },
  text: string,
  at: number,
  reading: Reading,
): number {
  const match = /^[.,](\d+)/.exec(text.slice(at, at + 64));
  if (match === null) return part.trims ? at : -1;
  if (!part.trims && match[1]!.length !== part.digits) return -1;
  reading.nanosecond = Number(match[1]!.slice(0, 9).padEnd(9, "0"));
  return at + match[0].length;
}

/** The texts that a field can stand for, and where their value goes. */
const numberFields: Readonly<Record<string, readonly [RegExp, keyof Reading]>> = {
  "2006": [/^\d{4}/, "year"],
  "01": [/^\d\d/, "month"],
  "1": [/^\d\d?/, "month"],
  "02": [/^\d\d/, "day"],
  "_2": [/^ ?\d\d?/, "day"],
  "2": [/^\d\d?/, "day"],
  "002": [/^\d{3}/, "yearDay"],
  "__2": [/^ {0,2}\d{1,3}/, "yearDay"],
  "15": [/^\d\d?/, "hour"],
  "03": [/^\d\d/, "hour"],
  "3": [/^\d\d?/, "hour"],
  "04": [/^\d\d/, "minute"],
  "4": [/^\d\d?/, "minute"],
  "05": [/^\d\d/, "second"],
  "5": [/^\d\d?/, "second"],
};

/** Where the field ends, or -1 if the text does not have it. */
function readField(
  field: string,
  text: string,
  at: number,
  reading: Reading,
  next: Part | undefined,
): number {
  const rest = text.slice(at, at + 64);
  const number = numberFields[field];
  if (number !== undefined) {
    const match = number[0].exec(rest);
    if (match === null) return -1;
    Object.assign(reading, { [number[1]]: Number(match[0].trim()) });
    const end = at + match[0].length;
    // A fraction after the seconds is read even where the layout has none.
    if (number[1] !== "second" || next?.kind === "fraction") return end;
    return readFraction(
      { kind: "fraction", separator: ".", digits: 9, trims: true },
      text,
      end,
      reading,
    );
  }
  if (field === "06") return readShortYear(rest, at, reading);
  if (field === "January" || field === "Jan") return readMonth(field, rest, at, reading);
  if (field === "Monday" || field === "Mon") {
    const names = field === "Monday" ? days : days.map((day) => day.slice(0, 3));
    const name = names.find((name) => rest.toLowerCase().startsWith(name.toLowerCase()));
    return name === undefined ? -1 : at + name.length;
  }
  if (field === "PM" || field === "pm") {
    const half = rest.slice(0, 2);
    if (!(field === "PM" ? /^[AP]M$/ : /^[ap]m$/).test(half)) return -1;
    reading.afternoon = half[0]!.toUpperCase() === "P";
    return at + 2;
  }
  if (field === "MST") {
    const match = /^(?:UTC|ChST|MeST|GMT[+-]\d{1,2}|[A-Z]{3,5}|[+-]\d\d(?:\d\d)?)/.exec(rest);
    if (match === null) return -1;
    reading.zoneName = match[0];
    return at + match[0].length;
  }
  return readOffset(field, rest, at, reading);
}

function readShortYear(rest: string, at: number, reading: Reading): number {
  const match = /^\d\d/.exec(rest);
  if (match === null) return -1;
  const year = Number(match[0]);
  reading.year = year >= 69 ? 1900 + year : 2000 + year;
  return at + 2;
}

function readMonth(field: string, rest: string, at: number, reading: Reading): number {
  const names = field === "January" ? months : months.map((month) => month.slice(0, 3));
  const index = names.findIndex((name) => rest.toLowerCase().startsWith(name.toLowerCase()));
  if (index < 0) return -1;
  reading.month = index + 1;
  return at + names[index]!.length;
}

function readOffset(field: string, rest: string, at: number, reading: Reading): number {
  if (field[0] === "Z" && rest[0] === "Z") {
    reading.offsetSeconds = 0;
    reading.zoneName = "UTC";
    return at + 1;
  }
  const colon = field.includes(":") ? ":" : "";
  const units = field.length > 6 ? 3 : field.length > 3 ? 2 : 1;
  const form = new RegExp(`^([+-])(\\d\\d)${`${colon}(\\d\\d)`.repeat(units - 1)}`);
  const match = form.exec(rest);
  if (match === null) return -1;
  const size = Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
  reading.offsetSeconds = match[1] === "-" ? -size : size;
  return at + match[0].length;
}

function outOfRange(reading: Reading): string | null {
  if (reading.month < 1 || reading.month > 12) return "month";
  const daysInMonth = new Date(Date.UTC(2000 + reading.year % 400, reading.month, 0)).getUTCDate();
  if (reading.day < 1 || reading.day > daysInMonth) return "day";
  const isLeap = reading.year % 4 === 0 && (reading.year % 100 !== 0 || reading.year % 400 === 0);
  const yearDay = reading.yearDay;
  if (yearDay !== null && (yearDay < 1 || yearDay > (isLeap ? 366 : 365))) return "day-of-year";
  if (reading.hour > 23 || (reading.afternoon !== null && reading.hour > 12)) return "hour";
  if (reading.minute > 59) return "minute";
  return reading.second > 59 ? "second" : null;
}

function momentOf(reading: Reading, zone: Zone): GoTime {
  let { hour } = reading;
  if (reading.afternoon === true && hour < 12) hour += 12;
  if (reading.afternoon === false && hour === 12) hour = 0;
  const local = calendarSeconds(
    reading.yearDay === null
      ? { ...reading, hour }
      : { ...reading, hour, month: 1, day: reading.yearDay },
  );
  const time = (seconds: number, of: Zone) =>
    new GoTime(BigInt(seconds) * 1_000_000_000n + BigInt(reading.nanosecond), of);
  const { offsetSeconds, zoneName } = reading;
  if (offsetSeconds !== null) {
    const seconds = local - offsetSeconds;
    // A zone that has this offset then is the one that was meant.
    if (offsetSeconds === 0 && zoneName === "UTC") return time(seconds, utc);
    const here = zone.at(seconds);
    if (here.offsetSeconds === offsetSeconds && (zoneName === null || zoneName === here.name)) {
      return time(seconds, zone);
    }
    return time(seconds, fixedZone(offsetSeconds, zoneName ?? ""));
  }
  if (zoneName === null) return time(localToUnix(local, zone), zone);
  if (zoneName === "UTC") return time(local, utc);
  const seconds = localToUnix(local, zone);
  if (zone.at(seconds).name === zoneName) return time(seconds, zone);
  // As in Go: an abbreviation that the zone does not use tells nothing but itself.
  const hours = /^GMT([+-]\d{1,2})$/.exec(zoneName);
  const offset = hours === null ? 0 : Number(hours[1]) * 3600;
  return time(local - offset, fixedZone(offset, zoneName));
}
