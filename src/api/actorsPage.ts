/** `GET /actors`: the tree of live actors as a plain page for operators: what each is, how full its mailbox is, how often it was
 *  restarted, and its own picture of its state. The same as JSON is at /api/v1/actors. */
import { Effect } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { type ActorSnapshot, ActorSystem } from "../actors/runtime/mod.ts";
import type { Settings } from "../platform/config/mod.ts";
import { respondError, respondJson } from "./respond.ts";

/** Actors shown below each parent; the rest are counted. */
const childrenMax = 200;

export const actorsPage = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const system = yield* ActorSystem;
    if (settings.auth_enabled) {
      const refusal = respondError(
        403,
        "the names of actors hold labels of all tenants: with auth_enabled they are not shown",
      );
      yield* router.add("GET", "/actors", refusal);
      yield* router.add("GET", "/api/v1/actors", refusal);
      return;
    }
    yield* router.add(
      "GET",
      "/api/v1/actors",
      Effect.suspend(() => respondJson(JSON.stringify(system.snapshot(childrenMax), bigintAsText))),
    );
    yield* router.add(
      "GET",
      "/actors",
      Effect.sync(() =>
        HttpServerResponse.text(page(system.snapshot(childrenMax)), {
          contentType: "text/html; charset=utf-8",
          headers: {
            "content-security-policy":
              "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            "cache-control": "no-store",
          },
        })
      ),
    );
  }));

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function page(roots: ReadonlyArray<ActorSnapshot>): string {
  const rows: string[] = [];
  for (const root of roots) addRows(root, 0, rows);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tailrace: actors</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 1rem; }
table { border-collapse: collapse; } th, td { padding: 0.1rem 0.8rem 0.1rem 0; text-align: left; vertical-align: top; }
td { font-family: ui-monospace, monospace; overflow-wrap: anywhere; } td.number { text-align: right; }
</style></head><body><h1>Actors</h1><p><a href="api/v1/actors">As JSON</a> · <a href="metrics">metrics by kind</a></p>
<table><thead><tr><th>name</th><th>kind</th><th>mailbox</th><th>restarts</th><th>state</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table></body></html>
`;
}

function addRows(actor: ActorSnapshot, depth: number, rows: string[]): void {
  const state = Object.entries(actor.observed ?? {}).map(([name, value]) => `${name}=${value}`);
  if (actor.failure !== "") state.push(`last failure: ${actor.failure}`);
  const cells = [
    `<td style="padding-left:${depth * 1.5}rem">${escaped(actor.name)}</td>`,
    `<td>${escaped(actor.kind)} (${escaped(actor.state)})</td>`,
    `<td class="number">${actor.mailboxDepth}</td>`,
    `<td class="number">${actor.restarts}</td>`,
    `<td>${escaped(state.join(" "))}</td>`,
  ];
  rows.push(`<tr>${cells.join("")}</tr>`);
  for (const child of actor.children) addRows(child, depth + 1, rows);
  if (actor.childrenOmitted > 0) {
    rows.push(
      `<tr><td style="padding-left:${
        (depth + 1) * 1.5
      }rem" colspan="5">and ${actor.childrenOmitted} more</td></tr>`,
    );
  }
}

/** Names of actors hold label values, which come from clients. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
