// Alerts that fire or are about to, and the rules they come from; without any, how to add one. Asked again every few seconds
// while this is looked at.
import { useEffect } from "preact/hooks";
import { type Alert, alerts, type Rule, type RuleGroup, ruleGroups } from "../api/rules.ts";
import { serverUrl } from "../api/serverUrl.ts";
import { formatDay, formatTimeOfDay } from "../model/nanoseconds.ts";
import type { Labels } from "../model/row.ts";
import { address } from "../state/address.ts";
import { Asked } from "../state/asked.ts";
import { submit } from "../state/explore.ts";
import { copy } from "../state/screen.ts";
import { AskedState } from "./AskedState.tsx";
import { formatSeconds } from "./figures.ts";
import { Icon } from "./icons.tsx";

interface Answer {
  readonly groups: readonly RuleGroup[];
  readonly alerts: readonly Alert[];
}

const asked = new Asked<Answer>();
const refreshMs = 10_000;

export function RulesCard() {
  const { tenant } = address.value;
  useEffect(() => {
    ask();
    const timer = setInterval(ask, refreshMs);
    return () => clearInterval(timer);
  }, [tenant]);
  const found = asked.answer.value;
  const absent = [404, 405].includes(asked.failure.value?.status ?? 0);
  const rules = found?.groups.flatMap((group) => group.rules) ?? [];
  return (
    <section class="card wide" aria-label="Alerts and rules">
      <h2>Alerts and rules</h2>
      {absent ? <NoRules absent /> : <AskedState asked={asked} retry={ask} />}
      {found !== undefined && !absent && (rules.length === 0 ? <NoRules absent={false} /> : (
        <>
          <Alerts found={found.alerts} />
          {found.groups.map((group) => <Group key={`${group.file}/${group.name}`} group={group} />)}
        </>
      ))}
    </section>
  );
}

function Alerts({ found }: { found: readonly Alert[] }) {
  if (found.length === 0) return <p class="hint">No alert is pending or fires.</p>;
  const sorted = [...found].sort((a, b) => a.state < b.state ? -1 : 1);
  return (
    <ul class="alerts">
      {sorted.map((alert) => (
        <li key={JSON.stringify(alert.labels)} class={`alert state-${alert.state}`}>
          <State state={alert.state} />
          <b>{alert.labels.alertname ?? "alert"}</b>
          <span class="hint">{printLabels(alert.labels)}</span>
          <span class="alert-words">
            {alert.annotations?.summary ?? alert.annotations?.description ?? ""}
          </span>
          <span class="hint">
            {alert.value !== undefined && `${alert.value}, `}
            {alert.activeAt !== undefined && `since ${printTime(alert.activeAt)}`}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Group({ group }: { group: RuleGroup }) {
  return (
    <div class="rule-group">
      <h3>
        {group.file} / {group.name} <span class="hint">every {formatSeconds(group.interval)}</span>
      </h3>
      <div class="tree-frame" tabIndex={0} role="region" aria-label={`Rules of ${group.name}`}>
        <table class="tree">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Rule</th>
              <th scope="col">Query</th>
              <th scope="col">Last run</th>
            </tr>
          </thead>
          <tbody>
            {group.rules.map((rule, i) => <RuleRow key={`${rule.name} ${i}`} rule={rule} />)}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function RuleRow({ rule }: { rule: Rule }) {
  const failed = rule.lastError !== undefined && rule.lastError !== "";
  return (
    <tr>
      <td>
        <State
          state={failed ? "failed" : rule.state ?? (rule.type === "recording" ? "records" : "")}
        />
      </td>
      <th scope="row">{rule.name}</th>
      <td class="rule-query">
        <button type="button" class="plain" title="Run it" onClick={() => submit(rule.query)}>
          <code>{rule.query}</code>
        </button>
        {failed && <p class="problem">{rule.lastError}</p>}
      </td>
      <td class="number">
        {rule.lastEvaluation === undefined || rule.lastEvaluation.startsWith("0001")
          ? "not yet"
          : printTime(rule.lastEvaluation)}
      </td>
    </tr>
  );
}

/** A state by its word and shape; colour comes with it. */
function State({ state }: { state: string }) {
  return (
    <span class={`rule-state state-${state}`}>
      <i aria-hidden="true" /> {state}
    </span>
  );
}

function NoRules({ absent }: { absent: boolean }) {
  const command = exampleCommand();
  return (
    <details class="no-rules">
      <summary>
        {absent
          ? "This process evaluates no rules. How to add some where one does"
          : "There are no rules yet. How to add some"}
      </summary>
      <div class="snippet">
        <pre tabIndex={0}>{command}</pre>
        <button
          type="button"
          class="button small"
          onClick={() => void copy(command, "the command")}
        >
          <Icon name="copy" /> Copy
        </button>
      </div>
    </details>
  );
}

function exampleCommand(): string {
  const { tenant } = address.peek();
  const header = tenant === "" ? "" : `-H 'X-Scope-OrgID: ${tenant.replaceAll("'", `'\\''`)}' `;
  return `curl -X POST ${header}-H 'Content-Type: application/yaml' \\
  ${serverUrl("loki/api/v1/rules/team").href} --data-binary '
name: shop
rules:
  - alert: ManyErrors
    expr: sum by (app) (rate({namespace="shop"} | detected_level="error" [5m])) > 1
    for: 5m
    annotations: {summary: "many errors"}'`;
}

function printLabels(labels: Labels): string {
  return Object.entries(labels).filter(([name]) => name !== "alertname")
    .map(([name, value]) => `${name}=${value}`).join(", ");
}

function printTime(text: string): string {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) return text;
  const { zone } = address.peek();
  const moment = (BigInt(milliseconds) * 1_000_000n).toString();
  const today = formatDay((BigInt(Date.now()) * 1_000_000n).toString(), zone);
  const day = formatDay(moment, zone);
  return `${day === today ? "" : `${day} `}${formatTimeOfDay(moment, zone).slice(0, 8)}`;
}

function ask(): void {
  void asked.ask(String(Date.now()), async (signal) => {
    const [groups, active] = await Promise.all([ruleGroups(signal), alerts(signal)]);
    return { groups, alerts: active };
  });
}
