/** The `Authorization` header that a configuration's HTTP client sends. Files are read for each request: secrets in
 *  them are replaced while we run. */
import { readTextFileNow } from "../platform/files.ts";
import type { Authorization, BasicAuth } from "./config/clientConfig.ts";

export interface Credentials {
  readonly basic_auth?: typeof BasicAuth.Type | undefined;
  readonly authorization?: typeof Authorization.Type | undefined;
  readonly bearer_token?: string | undefined;
  readonly bearer_token_file?: string | undefined;
}

/** Undefined if the client says nothing of itself. Throws if a file cannot be read. */
export function authorizationOf(config: Credentials): string | undefined {
  const { basic_auth: basic, authorization, bearer_token, bearer_token_file } = config;
  if (basic !== undefined) {
    const username = secret(basic.username || undefined, basic.username_file) ?? "";
    const password = secret(basic.password, basic.password_file) ?? "";
    return `Basic ${btoaBytes(`${username}:${password}`)}`;
  }
  if (authorization !== undefined) {
    const { type, credentials, credentials_file } = authorization;
    return `${type} ${secret(credentials, credentials_file) ?? ""}`;
  }
  const token = secret(bearer_token, bearer_token_file);
  return token === undefined ? undefined : `Bearer ${token}`;
}

function secret(value: string | undefined, file: string | undefined): string | undefined {
  if (value !== undefined) return value;
  return file === undefined ? undefined : readTextFileNow(file).trim();
}

function btoaBytes(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
