/** What clients are called in positions and messages: each by a name of its own, the same after a restart, or one would
 *  pass for having delivered what another has. Two with one URL and tenant are told apart by their order: a second user or
 *  other external labels at the same server. */
import type { ClientConfig } from "../config/clientConfig.ts";

/** The names of clients, in their order. */
export function clientNames(clients: ReadonlyArray<ClientConfig>): ReadonlyArray<string> {
  const names = new Set<string>();
  for (const { name, tenant_id, url } of clients) {
    const plain = name ?? `${tenant_id}@${withoutPassword(url)}`;
    let own = plain;
    for (let number = 2; names.has(own); number++) own = `${plain}#${number}`;
    names.add(own);
  }
  return [...names];
}

/** A URL as it may be shown. */
export function withoutPassword(address: string): string {
  const url = new URL(address);
  url.username = url.password = "";
  return url.href;
}
