/** Prints, as one line of JSON, what the launcher must know to start a server in a sandbox: where it listens and which
 *  paths it uses. bin/tailrace.mjs runs this with the server's own arguments and turns it into permissions, so that the
 *  launcher needs no second reading of the configuration. */
import process from "node:process";
import { resolve } from "node:path";
import { Effect } from "effect";
import { loadSettings } from "./load.ts";

const plan = loadSettings({ argv: process.argv.slice(2), env: process.env }).pipe(
  Effect.map(({ settings, file }) => ({
    listen: `${
      hostInPermission(settings.server.http_listen_address)
    }:${settings.server.http_listen_port}`,
    dataDirectory: resolve(settings.common.path_prefix),
    configFile: file === undefined ? undefined : resolve(file),
  })),
);

Effect.runPromise(plan).then(
  (plan) => process.stdout.write(`${JSON.stringify(plan)}\n`),
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  },
);

function hostInPermission(address: string): string {
  if (address === "") return "0.0.0.0";
  return address.includes(":") ? `[${address}]` : address;
}
