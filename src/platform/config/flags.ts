/** Settings given as command line flags: every setting is one (`--server.http-listen-port 3101`), written as Loki's are,
 *  with one dash or two, hyphens or underscores, "=" or a space; `--set path=value` takes any path, tenants' overrides
 *  too. Takes them out of the arguments and leaves the rest to the command. load.ts gives them their meaning. */
import { Result } from "effect";
import { settingAt, unknownKeyMessage } from "./catalogue.ts";

/** A value and how it was given, for messages. */
export interface FlagValue {
  readonly text: string;
  readonly spelling: string;
}

export interface SettingFlags {
  readonly values: ReadonlyMap<string, FlagValue>;
  readonly configFile: string | undefined;
  readonly rest: ReadonlyArray<string>;
}

/** Splits `argv` into settings and what is left, in order. Fails with a message at an unknown setting or a missing
 *  value. Everything after "--" is left alone. */
export function parseSettingFlags(
  argv: ReadonlyArray<string>,
): Result.Result<SettingFlags, string> {
  const values = new Map<string, FlagValue>();
  const rest: Array<string> = [];
  let configFile: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (argument === "--") {
      rest.push(...argv.slice(index));
      break;
    }
    const match = /^--?([A-Za-z][\w-]*(?:\.[\w-]+)*)(?:=(.*))?$/s.exec(argument);
    const name = (match?.[1] ?? "").toLowerCase().replaceAll("-", "_");
    const isFlag = name === "set" || name.includes(".") || settingAt(name) !== undefined;
    if (match === null || !isFlag) {
      rest.push(argument);
      continue;
    }
    const spelling = argument.split("=", 1)[0]!;
    const isToggle = typeof settingAt(name)?.byDefault === "boolean";
    const following = argv[index + 1];
    let text = match[2];
    if (text === undefined && isToggle) {
      text = following === "true" || following === "false" ? argv[++index] : "true";
    } else if (text === undefined && following !== undefined) {
      text = argv[++index];
    }
    if (text === undefined) return Result.fail(`${spelling} needs a value`);
    if (name === "config.file") {
      configFile = text;
    } else if (name === "set") {
      const [path, value] = splitAssignment(text);
      if (value === undefined) return Result.fail(`--set ${text}: write path=value`);
      values.set(path, { text: value, spelling: `--set ${path}` });
    } else if (settingAt(name) === undefined) {
      return Result.fail(`${spelling}: ${unknownKeyMessage(name)}`);
    } else {
      values.set(name, { text, spelling });
    }
  }
  return Result.succeed({ values, configFile, rest });
}

function splitAssignment(text: string): [string, string | undefined] {
  const equals = text.indexOf("=");
  return equals < 1 ? [text, undefined] : [text.slice(0, equals).trim(), text.slice(equals + 1)];
}
