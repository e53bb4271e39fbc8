/** The settings of the ruler: where rules are, when they are evaluated, who hears of alerts, where recorded samples go. Names are
 *  Loki's where the meaning is the same. src/actors/ruler says how they are used. */
import { Schema } from "effect";
import { setting } from "./setting.ts";
import { DurationMs, PositiveDurationMs, Text, Toggle, wholeNumber } from "./units.ts";

/** How a request of ours says who sends it, and how it speaks TLS. `who` is the other side. */
function clientSettings(who: string) {
  return {
    basic_auth_username: setting(Text, "", `User name for ${who}`),
    basic_auth_password: setting(Text, "", `Password for ${who}`),
    credentials: setting(Text, "", `Bearer token for ${who}`),
    credentials_file: setting(
      Text,
      "",
      `File with the bearer token for ${who}, read for each request`,
    ),
    tls_ca_path: setting(Text, "", `Certificates that those of ${who} must be signed by`),
    tls_cert_path: setting(Text, "", `Certificate of this client for ${who}`),
    tls_key_path: setting(Text, "", "Its key"),
    tls_server_name: setting(Text, "", `Name that the certificate of ${who} must have`),
    tls_insecure_skip_verify: setting(Toggle, false, `Do not check certificates of ${who}`),
  };
}

const ClientSettings = Schema.Struct(clientSettings("it"));

/** Credentials and TLS of requests to one side. */
export type ClientSettings = typeof ClientSettings.Type;

export const RulerSettings = Schema.Struct({
  evaluation_interval: setting(
    PositiveDurationMs,
    "1m",
    "Time between evaluations of groups that do not say",
  ),
  poll_interval: setting(PositiveDurationMs, "10s", "How often rule files are read again"),
  storage: Schema.Struct({
    local: Schema.Struct({
      directory: setting(
        Text,
        "",
        "Directory with rule files, <directory>/<tenant>/*.yaml, besides the rules given to the API; " +
          "without auth_enabled the tenant is fake",
      ),
    }),
  }),
  for_outage_tolerance: setting(
    DurationMs,
    "1h",
    "Time without evaluations after which alerts begin anew; after a shorter one they go on where they were",
  ),
  resend_delay: setting(
    DurationMs,
    "1m",
    "Least time until Alertmanagers hear of the same alert again",
  ),
  external_url: setting(
    Text,
    "",
    "Address of the page, for links in alerts; http://<host name>:<port> if empty",
  ),
  external_labels: setting(
    Text,
    "",
    "Labels for all alerts and recorded series that lack them, as in cluster=eu-1,env=prod",
  ),
  alertmanager_url: setting(
    Text,
    "",
    "Alertmanagers that hear of alerts, with commas between: each gets all, as in http://am-0:9093,http://am-1:9093",
  ),
  notification_queue_capacity: setting(
    wholeNumber(1),
    10_000,
    "Alerts that wait for one Alertmanager; beyond it the oldest are dropped",
  ),
  notification_timeout: setting(
    PositiveDurationMs,
    "10s",
    "Time an Alertmanager may take for a request",
  ),
  alertmanager_client: Schema.Struct(clientSettings("Alertmanagers")),
  remote_write: Schema.Struct({
    url: setting(
      Text,
      "",
      "Where recorded series go, as Prometheus' remote write: http://prometheus:9090/api/v1/write; " +
        "without it recording rules are errors",
    ),
    timeout: setting(PositiveDurationMs, "30s", "Time it may take for a request"),
    queue_capacity: setting(
      wholeNumber(1),
      100_000,
      "Samples that wait; beyond it the oldest are dropped",
    ),
    add_org_id_header: setting(Toggle, true, "Send the tenant as X-Scope-OrgID"),
    client: Schema.Struct(clientSettings("the receiver of samples")),
  }),
});
