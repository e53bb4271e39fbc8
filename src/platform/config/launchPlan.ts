/** Prints, as one line of JSON, what the launcher must know to start a server in a sandbox: where it
 *  listens, what it connects to and which paths it uses. bin/tailrace.mjs runs this with the
 *  server's own arguments and turns it into permissions, so that the launcher needs no second
 *  reading of the configuration. */
import process from "node:process";
import { resolve } from "node:path";
import { Effect } from "effect";
import { loadSettings } from "./load.ts";
import { s3Access, s3BucketUrl } from "../s3Address.ts";
import type { Settings } from "./settings.ts";

const plan = loadSettings({ argv: process.argv.slice(2), env: process.env }).pipe(
  Effect.map(({ settings, file }) => ({
    listen: `${
      hostInPermission(settings.server.http_listen_address)
    }:${settings.server.http_listen_port}`,
    dataDirectory: resolve(settings.common.path_prefix),
    connects: [
      ...(settings.storage.engine === "nats" ? natsHosts(settings.nats.url) : []),
      ...rulerHosts(settings.ruler),
      ...s3Hosts(settings.storage),
    ],
    readsFiles: [
      ...natsFiles(settings.nats),
      ...rulerFiles(settings.ruler),
      settings.storage.s3.tls_ca_path,
    ].filter((path) => path !== "")
      .map((path) => resolve(path)),
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

/** host:port of each server. */
function natsHosts(url: string): Array<string> {
  return url.split(",").map((server) => {
    const { hostname, port } = new URL(server.includes("://") ? server : `nats://${server}`);
    return `${hostname}:${port === "" ? 4222 : port}`.trim();
  });
}

function natsFiles(
  { nkey_file, creds_file, tls_ca_file, tls_cert_file, tls_key_file }: Settings["nats"],
) {
  return [nkey_file, creds_file, tls_ca_file, tls_cert_file, tls_key_file].filter((path) =>
    path !== ""
  );
}

/** host:port of each server that the ruler tells something. A wrong URL is told when the server starts. */
function rulerHosts({ alertmanager_url, remote_write }: Settings["ruler"]): Array<string> {
  return [...alertmanager_url.split(","), remote_write.url].flatMap((text) => {
    const url = URL.parse(text.trim());
    return url === null ? [] : [hostAndPort(url)];
  });
}

/** A wrong endpoint is told when the server starts. */
function s3Hosts({ object_store, s3 }: Settings["storage"]): Array<string> {
  if (object_store !== "s3") return [];
  try {
    return [hostAndPort(s3BucketUrl(s3, s3Access(s3, process.env).region))];
  } catch {
    return [];
  }
}

function hostAndPort({ protocol, hostname, port }: URL): string {
  return `${hostname}:${port === "" ? protocol === "https:" ? 443 : 80 : port}`;
}

function rulerFiles({ storage, alertmanager_client, remote_write }: Settings["ruler"]) {
  const ofClient = (client: Settings["ruler"]["alertmanager_client"]) => [
    client.credentials_file,
    client.tls_ca_path,
    client.tls_cert_path,
    client.tls_key_path,
  ];
  return [
    storage.local.directory,
    ...ofClient(alertmanager_client),
    ...ofClient(remote_write.client),
  ].filter((path) => path !== "");
}

function hostInPermission(address: string): string {
  if (address === "") return "0.0.0.0";
  return address.includes(":") ? `[${address}]` : address;
}
