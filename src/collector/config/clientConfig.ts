/** `clients`: where lines are sent and how. The defaults are Promtail's. */
import { Schema } from "effect";
import {
  ByteSize,
  DurationMs,
  LabelMap,
  Text,
  Toggle,
  unsupported,
  wholeNumber,
  withDefault,
} from "./scalars.ts";

/** TLS of a client. */
export const TlsConfig = Schema.Struct({
  ca: Schema.optional(Text),
  ca_file: Schema.optional(Text),
  cert: Schema.optional(Text),
  cert_file: Schema.optional(Text),
  key: Schema.optional(Text),
  key_file: Schema.optional(Text),
  server_name: Schema.optional(Text),
  insecure_skip_verify: withDefault(Toggle, false),
});

export type TlsConfig = typeof TlsConfig.Type;

export const BasicAuth = Schema.Struct({
  username: withDefault(Text, ""),
  username_file: Schema.optional(Text),
  password: Schema.optional(Text),
  password_file: Schema.optional(Text),
});

export const Authorization = Schema.Struct({
  type: withDefault(Text, "Bearer"),
  credentials: Schema.optional(Text),
  credentials_file: Schema.optional(Text),
});

/** How a request says who sends it, and over what; shared by everything that speaks HTTP. */
export const httpClientFields = {
  basic_auth: Schema.optional(BasicAuth),
  authorization: Schema.optional(Authorization),
  bearer_token: Schema.optional(Text),
  bearer_token_file: Schema.optional(Text),
  tls_config: Schema.optional(TlsConfig),
  oauth2: unsupported("OAuth 2", "use bearer_token_file, which is read again when it changes"),
  proxy_url: unsupported("a proxy", "send to the server itself"),
  proxy_from_environment: unsupported("a proxy", "send to the server itself"),
  no_proxy: unsupported("a proxy", "leave it out"),
  follow_redirects: withDefault(Toggle, true),
  enable_http2: withDefault(Toggle, false),
};

export const ClientConfig = Schema.Struct({
  name: Schema.optional(Text),
  url: Text.check(
    Schema.makeFilter((url) =>
      isHttpUrl(url) ||
      `"${url}" is not a URL such as http://loki:3100/loki/api/v1/push`
    ),
  ),
  batchwait: withDefault(DurationMs, "1s"),
  batchsize: withDefault(ByteSize, 1048576),
  headers: withDefault(Schema.Record(Schema.String, Text), {}),
  backoff_config: withDefault(
    Schema.Struct({
      min_period: withDefault(DurationMs, "500ms"),
      max_period: withDefault(DurationMs, "5m"),
      max_retries: withDefault(wholeNumber(0), 10),
    }),
    {},
  ),
  external_labels: withDefault(LabelMap, {}),
  timeout: withDefault(DurationMs, "10s"),
  tenant_id: withDefault(Text, ""),
  drop_rate_limited_batches: withDefault(Toggle, false),
  ...httpClientFields,
});

export type ClientConfig = typeof ClientConfig.Type;

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
