/** The effective configuration: defaults, then one YAML file, then the environment, then flags, each over the one before.
 *  Owns the order, and where each value came from, so that every message and `tailrace config` can say it.
 *  settings.ts owns what the settings are. */
import { readFileSync } from "node:fs";
import { Effect, Result } from "effect";
import { errorTextWithoutPath } from "../files.ts";
import { catalogue, nearestPath, unknownKeyMessage } from "./catalogue.ts";
import { type FlagValue, parseSettingFlags } from "./flags.ts";
import type { Settings } from "./settings.ts";
import { SettingsInvalid, SettingsTree } from "./settingsTree.ts";
import { readYaml } from "./yamlFile.ts";

/** The settings, where those come from that are not defaults (path to "tailrace.yaml:3", "--set x", ...),
 *  and what is odd without being wrong. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly origins: ReadonlyMap<string, string>;
  readonly warnings: ReadonlyArray<string>;
  readonly file: string | undefined;
  /** The arguments that are no settings. */
  readonly rest: ReadonlyArray<string>;
}

/** Loads the settings for a command line and an environment. The file is `--config.file`, else TAILRACE_CONFIG_FILE,
 *  else `file`, else none. Fails with all mistakes at once. */
export const loadSettings = Effect.fnUntraced(function* (sources: {
  readonly argv: ReadonlyArray<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: string | undefined;
}) {
  const flags = yield* Effect.fromResult(parseSettingFlags(sources.argv)).pipe(
    Effect.mapError((problem) => new SettingsInvalid({ problems: [problem] })),
  );
  const file = flags.configFile ?? (sources.env["TAILRACE_CONFIG_FILE"] || sources.file);
  const text = file === undefined ? "" : yield* Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (cause) =>
      new SettingsInvalid({
        problems: [`cannot read ${file}: ${errorTextWithoutPath(cause)}`],
      }),
  });
  const resolved = yield* Effect.fromResult(
    resolveSettings({ file: { name: file ?? "", text }, env: sources.env, flags: flags.values }),
  );
  return { ...resolved, file, rest: flags.rest } satisfies LoadedSettings;
});

/** The same as loadSettings without reading anything. */
export function resolveSettings(sources: {
  readonly file?: { readonly name: string; readonly text: string };
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly flags?: ReadonlyMap<string, FlagValue>;
}): Result.Result<Omit<LoadedSettings, "file" | "rest">, SettingsInvalid> {
  const tree = new SettingsTree();
  for (const { path, byDefault } of catalogue) tree.set(path.split("."), byDefault, undefined);
  if (sources.file !== undefined) {
    const { name, text } = sources.file;
    const { values, problems } = readYaml(text);
    for (const { line, message } of problems) tree.problems.push(`${name}:${line}: ${message}`);
    for (const value of values) tree.set(value.keys, value.text, `${name}:${value.line}`);
  }
  const env = sources.env ?? {};
  for (const { path, environmentName } of catalogue) {
    const text = env[environmentName];
    if (text) tree.set(path.split("."), text, environmentName);
  }
  for (const [path, { text, spelling }] of sources.flags ?? []) {
    tree.setPath(path, text, spelling);
  }
  return Result.map(tree.decode(), (settings) => ({
    settings,
    origins: tree.origins,
    warnings: environmentWarnings(env),
  }));
}

/** The defaults with some settings changed, each by its path: `settingsWith({ "server.http_listen_port": 0 })`.
 *  Throws SettingsInvalid. For tests and tools. */
export function settingsWith(
  changes: Readonly<Record<string, string | number | boolean>>,
): Settings {
  const flags = new Map(
    Object.entries(changes).map(([path, value]) => [path, { text: String(value), spelling: path }]),
  );
  return Result.getOrThrowWith(resolveSettings({ flags }), (error) => error).settings;
}

/** Variables that only the launcher and the client commands read. */
const otherVariables = new Set([
  "TAILRACE_ADDR",
  "TAILRACE_CONFIG_FILE",
  "TAILRACE_DENO_FLAGS",
  "TAILRACE_RUNTIME",
  "TAILRACE_TENANT",
]);

const prefix = "TAILRACE_";

/** The settings of a process that nobody configured. */
export const defaultSettings: Settings = settingsWith({});

/** An unknown variable is odd, not wrong. Of those whose section there is none of either, one is told that is like a setting:
 *  who knows whose the others are. */
function environmentWarnings(env: Readonly<Record<string, string | undefined>>): Array<string> {
  const known = new Set([...catalogue.map((entry) => entry.environmentName), ...otherVariables]);
  const sections = [...new Set(catalogue.map(({ path }) => path.split(".")[0]!.toUpperCase()))];
  return Object.entries(env).flatMap(([name, value = ""]) => {
    if (!name.startsWith(prefix) || known.has(name) || isServiceLink(name, value)) return [];
    const path = name.slice(prefix.length).toLowerCase().replace("_", ".");
    const isOurs = sections.some((section) => name.startsWith(`${prefix}${section}_`)) ||
      nearestPath(path) !== undefined;
    return isOurs ? [`environment variable ${name} is ignored: ${unknownKeyMessage(path)}`] : [];
  });
}

/** Whether Kubernetes has set it, as it does for each Service of a pod's namespace: TAILRACE_PORT and the like. */
function isServiceLink(name: string, value: string): boolean {
  return /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (name.endsWith("_PORT") && /^(tcp|udp):/.test(value));
}
