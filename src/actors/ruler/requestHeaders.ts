/** What the ruler's requests to Alertmanagers and receivers of samples say about who sends them. */
import type { ClientTls } from "../../platform/httpPush.ts";
import { readTextFileNow } from "../../platform/files.ts";
import type { ClientSettings } from "../../platform/config/rulerSettings.ts";

/** The header Authorization, if the settings have credentials. Throws if their file cannot be read. */
export function authorization(client: ClientSettings): Readonly<Record<string, string>> {
  const { basic_auth_username: user, basic_auth_password: password } = client;
  if (user !== "") {
    const bytes = new TextEncoder().encode(`${user}:${password}`);
    return { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
  }
  const token = client.credentials_file === ""
    ? client.credentials
    : readTextFileNow(client.credentials_file).trim();
  return token === "" ? {} : { authorization: `Bearer ${token}` };
}

export function tlsOf(client: ClientSettings): ClientTls {
  const given = (text: string) => text === "" ? undefined : text;
  return {
    ca_file: given(client.tls_ca_path),
    cert_file: given(client.tls_cert_path),
    key_file: given(client.tls_key_path),
    server_name: given(client.tls_server_name),
    insecure_skip_verify: client.tls_insecure_skip_verify,
  };
}

/** Labels such as `cluster=eu-1,env=prod`. */
export function labelPairs(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(",").map((pair) => pair.trim()).filter((pair) => pair !== "");
  return Object.fromEntries(pairs.map((pair) => {
    const at = pair.indexOf("=");
    return at < 0 ? [pair, ""] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  }));
}
