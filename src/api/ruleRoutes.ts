/** The rules that a tenant has, as Loki's ruler answers for them: YAML that lokitool and Grafana read and write, below
 *  /loki/api/v1/rules and /api/prom/rules. ruleStateRoutes.ts answers what has become of them. */
import { Effect, Layer, Result } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import { parseRuleGroup, rulesBytesMax } from "../actors/ruler/parseRules.ts";
import { printNamespaces, printRuleGroup } from "../actors/ruler/printRules.ts";
import type { PlacedGroup, RuleGroup } from "../actors/ruler/rule.ts";
import { RuleBook, RulesRefused } from "../actors/ruler/RuleBook.ts";
import type { Settings } from "../platform/config/mod.ts";
import { RuleStoreError } from "../storage/RuleStore.ts";
import { attempt } from "./apiCall.ts";
import { BadRequest } from "./params.ts";
import { readBody, readTenantOf, tenantOf } from "./request.ts";
import { respondError, respondFailure } from "./respond.ts";
import { ruleStateRoutes } from "./ruleStateRoutes.ts";

/** What there is to know and to change about rules. */
export const ruleRoutes = (settings: Settings) =>
  Layer.mergeAll(ruleSourceRoutes(settings), ruleStateRoutes(settings));

const prefixes = ["/loki/api/v1/rules", "/api/prom/rules"] as const;

const ruleSourceRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    const book = yield* RuleBook;

    const list = handled(Effect.gen(function* () {
      const { tenant, namespace } = yield* readCall(settings);
      const groups = (yield* book.groups(tenant))
        .filter((placed) => namespace === undefined || placed.namespace === namespace);
      if (groups.length === 0) return respondError(404, "no rule groups found");
      return respondYaml(printNamespaces(byNamespace(groups)));
    }));

    const get = handled(Effect.gen(function* () {
      const { tenant, namespace, group: name } = yield* readCall(settings);
      const found = (yield* book.groups(tenant)).find((placed) =>
        placed.namespace === namespace && placed.group.name === name
      );
      if (found === undefined) return respondError(404, "group does not exist");
      return respondYaml(printRuleGroup(found.group));
    }));

    const put = handled(Effect.gen(function* () {
      const { tenant, namespace = "" } = yield* writeCall(settings);
      const timeoutMs = settings.server.http_server_read_timeout;
      const text = new TextDecoder().decode(yield* readBody(rulesBytesMax, timeoutMs));
      const parsed = parseRuleGroup(text);
      if (Result.isFailure(parsed)) {
        return yield* Effect.fail(new BadRequest(parsed.failure.message));
      }
      yield* book.put(tenant, namespace, parsed.success);
      return accepted;
    }));

    const removeGroup = handled(Effect.gen(function* () {
      const { tenant, namespace = "", group: name = "" } = yield* writeCall(settings);
      yield* book.removeGroup({ tenant, namespace, name });
      return accepted;
    }));

    const removeNamespace = handled(Effect.gen(function* () {
      const { tenant, namespace = "" } = yield* writeCall(settings);
      yield* book.removeNamespace(tenant, namespace);
      return accepted;
    }));

    for (const prefix of prefixes) {
      yield* router.add("GET", prefix, list);
      yield* router.add("GET", `${prefix}/:namespace`, list);
      yield* router.add("POST", `${prefix}/:namespace`, put);
      yield* router.add("DELETE", `${prefix}/:namespace`, removeNamespace);
      yield* router.add("GET", `${prefix}/:namespace/:group`, get);
      yield* router.add("DELETE", `${prefix}/:namespace/:group`, removeGroup);
    }
  }));

interface RuleCall {
  readonly tenant: string;
  readonly namespace: string | undefined;
  readonly group: string | undefined;
}

const readCall = (settings: Settings) => callOf((headers) => readTenantOf(settings, headers));
const writeCall = (settings: Settings) => callOf((headers) => tenantOf(settings, headers));

const callOf = (tenantIn: (headers: Readonly<Record<string, string | undefined>>) => string) =>
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest;
    const { namespace, group } = yield* HttpRouter.params;
    const call: RuleCall = {
      tenant: yield* attempt(() => tenantIn(headers)),
      namespace,
      group,
    };
    return call;
  });

function byNamespace(
  groups: ReadonlyArray<PlacedGroup>,
): ReadonlyMap<string, ReadonlyArray<RuleGroup>> {
  const found = Map.groupBy(groups, ({ namespace }) => namespace);
  return new Map([...found].map(([name, placed]) => [name, placed.map(({ group }) => group)]));
}

function respondYaml(text: string): HttpServerResponse.HttpServerResponse {
  return HttpServerResponse.text(text, { contentType: "application/yaml" });
}

/** Grafana reads this envelope. */
const accepted = HttpServerResponse.text(
  JSON.stringify({ status: "success", data: null, errorType: "", error: "" }),
  { status: 202, contentType: "application/json" },
);

function handled<E, R>(
  work: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> {
  return Effect.catch(work, (error) => {
    if (error instanceof RulesRefused) {
      return Effect.succeed(respondError(error.reason === "NotFound" ? 404 : 400, error.message));
    }
    if (error instanceof RuleStoreError) {
      return Effect.succeed(respondError(503, error.message, { "retry-after": "1" }));
    }
    return Effect.succeed(respondFailure(error));
  });
}
