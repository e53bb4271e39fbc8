/** The settings of this process for the commands that work on a server's own data: serve, config, inspect and
 *  rebuild-index. main.ts provides them; they are loaded when a command asks, so that --help never fails. */
import { Context, type Effect } from "effect";
import type { LoadedSettings, SettingsInvalid } from "../platform/config/mod.ts";

export class ProcessSettings extends Context.Service<ProcessSettings, {
  readonly load: Effect.Effect<LoadedSettings, SettingsInvalid>;
}>()("tailrace/cli/ProcessSettings") {}

/** Shown in the help of each command that takes settings. */
export const settingsHelp = [
  "Settings come from, each over the one before: the defaults; the YAML file of --config.file or",
  "TAILRACE_CONFIG_FILE; environment variables (server.http_listen_port is",
  "TAILRACE_SERVER_HTTP_LISTEN_PORT); flags (--server.http-listen-port=3100, --target=all, or",
  '--set path=value). "tailrace config --describe" lists all of them.',
].join("\n");
