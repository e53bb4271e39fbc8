/** Level codes, and the level of a line or a label. assembly/level.ts owns the rule, for which
 *  Loki's `detected_level` is the model; push.ts applies it to whole requests. */
import { kernels } from "./kernels.ts";

/** Codes of levels in `streamLevels` and in the kernels. */
export const Level = {
  none: 0,
  trace: 1,
  debug: 2,
  info: 3,
  warn: 4,
  error: 5,
  critical: 6,
  fatal: 7,
  unknown: 8,
  /** Code of the first of `PushLimits.levelTexts`; the following codes are the next ones, up to
   *  255. */
  texts: 16,
} as const;

/** What `detected_level` says for each code up to Level.unknown. */
export const levelNames: ReadonlyArray<string> = [
  "",
  "trace",
  "debug",
  "info",
  "warn",
  "error",
  "critical",
  "fatal",
  "unknown",
];

const spellings: ReadonlyMap<string, number> = new Map([
  ["trace", Level.trace],
  ["trc", Level.trace],
  ["debug", Level.debug],
  ["dbg", Level.debug],
  ["info", Level.info],
  ["inf", Level.info],
  ["information", Level.info],
  ["warn", Level.warn],
  ["wrn", Level.warn],
  ["warning", Level.warn],
  ["error", Level.error],
  ["err", Level.error],
  ["critical", Level.critical],
  ["fatal", Level.fatal],
]);

/** Labels and metadata names that hold a level, the first that is present first. */
export const levelKeys: ReadonlyArray<string> = [
  "level",
  "LEVEL",
  "Level",
  "log.level",
  "severity",
  "SEVERITY",
  "Severity",
  "SeverityText",
  "lvl",
  "LVL",
  "Lvl",
  "severity_text",
  "Severity_Text",
  "SEVERITY_TEXT",
];

/** The code of the level that a text spells, in any case; Level.none if it spells none. */
export function levelOfText(text: string): number {
  return text.length > 11 ? Level.none : spellings.get(text.toLowerCase()) ?? Level.none;
}

interface LevelExports {
  lineLevel(line: number, length: number): number;
}

/** The code of the level that a log line shows, Level.unknown if none. */
export function lineLevel(line: Uint8Array): number {
  const instance = kernels<LevelExports>();
  instance.reset();
  return instance.exports.lineLevel(instance.copyIn(line), line.byteLength);
}
