// Addresses of the server and the tenant that a request names. Invariant: addresses are relative to the page, so any path
// prefix works.

/** The address of a path of the server, below wherever the page is. */
export function serverUrl(path: string): URL {
  return new URL(`./${path}`, document.baseURI);
}

/** The address of a WebSocket of the server. A browser cannot set headers there: the tenant travels as a parameter. */
export function socketUrl(path: string, parameters: Record<string, string>): URL {
  const url = serverUrl(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams(parameters).toString();
  const tenant = presentTenant();
  if (tenant !== "") url.searchParams.set("tenant", tenant);
  return url;
}

/** The header that names the tenant, when the address does. */
export function tenantHeaders(): Record<string, string> {
  const tenant = presentTenant();
  return tenant === "" ? {} : { "X-Scope-OrgID": tenant };
}

/** Read from the address itself: boot.ts asks before there is anything else. */
function presentTenant(): string {
  return new URLSearchParams(location.search).get("tenant") ?? "";
}
