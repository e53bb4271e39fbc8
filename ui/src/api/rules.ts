// Rules and alerts as Prometheus' API tells them, which is Loki's too: /prometheus/api/v1/rules and /alerts.
import type { Labels } from "../model/row.ts";
import { request } from "./request.ts";

export interface Alert {
  readonly labels: Labels;
  readonly annotations?: Labels;
  /** "pending" or "firing". */
  readonly state: string;
  /** RFC 3339. */
  readonly activeAt?: string;
  readonly value?: string;
}

export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly type: "alerting" | "recording";
  /** Of alerting rules: "inactive", "pending" or "firing". */
  readonly state?: string;
  /** Seconds that an alert is pending for. */
  readonly duration?: number;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly health?: string;
  readonly lastError?: string;
  readonly lastEvaluation?: string;
  /** Seconds. */
  readonly evaluationTime?: number;
}

export interface RuleGroup {
  readonly name: string;
  /** The namespace. */
  readonly file: string;
  /** Seconds. */
  readonly interval: number;
  readonly rules: readonly Rule[];
  readonly lastEvaluation?: string;
}

export async function ruleGroups(signal: AbortSignal): Promise<readonly RuleGroup[]> {
  type Answer = { readonly data?: { readonly groups?: readonly RuleGroup[] | null } };
  const answer = await request<Answer>("prometheus/api/v1/rules", {}, signal);
  return answer.data?.groups ?? [];
}

/** Alerts that are pending or fire. */
export async function alerts(signal: AbortSignal): Promise<readonly Alert[]> {
  type Answer = { readonly data?: { readonly alerts?: readonly Alert[] | null } };
  const answer = await request<Answer>("prometheus/api/v1/alerts", {}, signal);
  return answer.data?.alerts ?? [];
}
