/** The level of a log line by the rule that assembly/level.ts states, written for plainness: on
 *  strings of one character a byte, with regular expressions. Tests hold the kernel to it. */

const keys = [
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

/** The level that a text spells, in any case, or "". */
export function levelOfText(text: string): string {
  const lower = text.toLowerCase();
  if (/^(trace|debug|info|warn|error|critical|fatal)$/.test(lower)) return lower;
  const short: Record<string, string> = {
    trc: "trace",
    dbg: "debug",
    inf: "info",
    information: "info",
    wrn: "warn",
    warning: "warn",
    err: "error",
  };
  return Object.hasOwn(short, lower) ? short[lower]! : "";
}

/** The level of a line, "unknown" if it shows none. */
export function lineLevel(line: Uint8Array): string {
  const text = latin1(line);
  let value: string | undefined;
  if (/^[\t-\r ]*\{[^]*\}[\t-\r ]*$/.test(text)) value = jsonValue(text);
  else if (text.includes("=")) value = logfmtValue(text);
  const level = value === undefined ? "" : levelOfText(value);
  return level !== "" ? level : wordLevel(text);
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function wordLevel(text: string): string {
  const words =
    /(?<![A-Za-z0-9_])(trace|debug|fatal|critical|error|err|warning|warn|info)(?![A-Za-z0-9_])/gi;
  const found = new Set(Array.from(text.matchAll(words), (match) => levelOfText(match[0])));
  const order = ["trace", "debug", "fatal", "critical", "error", "warn", "info"];
  return order.find((level) => found.has(level)) ?? "unknown";
}

function logfmtValue(text: string): string | undefined {
  const folded = keys.map((key) => key.toLowerCase());
  const pair =
    /[\0- ]*(?:([^\0- ="]+)=(?:"((?:[^"\\]|\\[^])*)"|([^\0- ="]*)(?=[\0- ]|$))|([^\0- ="]+)(?=[\0- ]|$))/y;
  let best = folded.length;
  let value: string | undefined;
  for (let match = pair.exec(text); match !== null; match = pair.exec(text)) {
    const text = match[2] ?? match[3] ?? "";
    const rank = folded.indexOf(match[1]?.toLowerCase() ?? "");
    if (text === "" || rank < 0 || rank >= best) continue;
    best = rank;
    value = text;
  }
  return value;
}

function jsonValue(text: string): string | undefined {
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  const string = /"((?:[^"\\]|\\[^])*)"/y;
  take(/[\t-\r ]*\{/y);
  for (let depth = 1; depth > 0;) {
    take(/[\t-\r ,]*/y);
    if (take(/\}/y) !== null) {
      depth--;
      continue;
    }
    const key = take(string);
    if (key === null || take(/[\t-\r ]*:[\t-\r ]*/y) === null || at >= text.length) {
      return undefined;
    }
    const kind = text.charAt(at);
    if (kind === '"') {
      const value = take(string);
      if (value === null) return undefined;
      if (value[1] !== "" && keys.includes(key[1]!)) return value[1];
    } else if (kind === "{" && depth === 1) {
      at++;
      depth = 2;
    } else if (kind === "{" || kind === "[") {
      let brackets = 0;
      do {
        const token = take(/"(?:[^"\\]|\\[^]?)*(?:"|$)|[{}[\]]|[^"{}[\]]+/y)?.[0] ?? "]";
        if (token === "{" || token === "[") brackets++;
        if (token === "}" || token === "]") brackets--;
      } while (brackets > 0);
    } else {
      take(/[^,}\]\t-\r ]*/y);
    }
  }
  return undefined;
}
