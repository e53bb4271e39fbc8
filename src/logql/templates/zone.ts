/** Time zones: the offset and abbreviation at a moment, from the runtime's own zone data (Intl).
 *  Invariant: what is kept of zones is bounded. */

export interface ZoneMoment {
  /** East of UTC. */
  readonly offsetSeconds: number;
  readonly name: string;
}

export interface Zone {
  at(unixSeconds: number): ZoneMoment;
}

/** A zone of one offset. A "" name is one that a layout without a zone's name gave. */
export function fixedZone(offsetSeconds: number, name: string): Zone {
  const moment = { offsetSeconds, name };
  return { at: () => moment };
}

export const utc: Zone = fixedZone(0, "UTC");

/** By IANA name, such as Europe/Berlin. "", "UTC" and "Local" are UTC: a template must not answer
 *  differently on another server. Null for an unknown name. */
export function loadZone(name: string): Zone | null {
  if (name === "" || name === "UTC" || name === "Local") return utc;
  const known = zones.get(name);
  if (known !== undefined) return known;
  // Intl takes offsets such as +01:00 too, which Go does not know as names.
  if (!/^[A-Za-z]/.test(name)) return null;
  try {
    const zone = intlZone(name);
    if (zones.size >= zonesMax) zones.clear();
    zones.set(name, zone);
    return zone;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The seconds since 1970 of a local time given as if in UTC. Of a time that occurs twice, the
 *  first; of one that never occurs, the one that as much later. */
export function localToUnix(localSeconds: number, zone: Zone): number {
  const before = zone.at(localSeconds - 86_400).offsetSeconds;
  const first = localSeconds - before;
  if (zone.at(first).offsetSeconds === before) return first;
  const after = zone.at(localSeconds + 86_400).offsetSeconds;
  const second = localSeconds - after;
  return zone.at(second).offsetSeconds === after ? second : first;
}

const zonesMax = 64;
const zones = new Map<string, Zone>();
/** English of the places whose abbreviations their users write; Intl gives "GMT+1" elsewhere. */
const locales = ["en-US", "en-GB", "en-AU", "en-CA", "en-IN", "en-ZA"];

function intlZone(timeZone: string): Zone {
  const formats = locales.map((locale) =>
    new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: "short" })
  );
  const offsets = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  // Offsets change on quarter hours, so one moment speaks for its quarter.
  let quarter = Number.NaN;
  let moment: ZoneMoment = { offsetSeconds: 0, name: "" };
  return {
    at(unixSeconds) {
      const asked = Math.floor(unixSeconds / 900);
      if (asked === quarter) return moment;
      const date = new Date(asked * 900_000);
      const offsetSeconds = offsetOf(zonePart(offsets, date));
      moment = { offsetSeconds, name: abbreviation(formats, date, offsetSeconds) };
      quarter = asked;
      return moment;
    },
  };
}

function abbreviation(
  formats: ReadonlyArray<Intl.DateTimeFormat>,
  date: Date,
  offsetSeconds: number,
): string {
  for (const format of formats) {
    const name = zonePart(format, date);
    if (name === "UTC" || !/^(?:GMT|UTC)[+-]|\s/.test(name)) return name;
  }
  return offsetName(offsetSeconds);
}

/** What the zone database calls zones without letters: +05, +0530. */
function offsetName(offsetSeconds: number): string {
  const sign = offsetSeconds < 0 ? "-" : "+";
  const minutes = Math.floor(Math.abs(offsetSeconds) / 60);
  const rest = minutes % 60;
  const hours = String(Math.floor(minutes / 60)).padStart(2, "0");
  return `${sign}${hours}${rest === 0 ? "" : String(rest).padStart(2, "0")}`;
}

function zonePart(format: Intl.DateTimeFormat, date: Date): string {
  return format.formatToParts(date).find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** "GMT", "GMT+01:00" or "GMT-00:53:28". */
function offsetOf(text: string): number {
  const match = /([+-])(\d+):(\d+)(?::(\d+))?/.exec(text);
  if (match === null) return 0;
  const size = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return match[1] === "-" ? -size : size;
}
