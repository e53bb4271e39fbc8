/** Links to the page, which show what a query finds. ui/src/state/address.ts reads them. */

/** The page at `externalUrl` ("" for the same server) with a query in its editor. */
export function exploreLink(externalUrl: string, expr: string): string {
  return `${externalUrl.replace(/\/+$/, "")}/?${new URLSearchParams({ q: expr })}`;
}
