/** The settings of an object store that speaks S3, used when storage.object_store is s3. Owns names and defaults;
 *  platform/s3Address.ts says where requests go and who sends them. */
import { Schema } from "effect";
import { setting } from "./setting.ts";
import { DurationMs, Text, Toggle } from "./units.ts";

export const S3Settings = Schema.Struct({
  endpoint: setting(
    Text,
    "",
    "Address of the store, such as https://minio:9000; Amazon's for the region if empty",
  ),
  bucket: setting(Text, "", "Bucket that holds the segments; it must exist"),
  region: setting(Text, "", "Region; AWS_REGION if empty, else us-east-1"),
  prefix: setting(Text, "", "What all object keys begin with, such as tailrace/prod/"),
  access_key_id: setting(Text, "", "Access key; AWS_ACCESS_KEY_ID if empty"),
  secret_access_key: setting(Text, "", "Its secret; AWS_SECRET_ACCESS_KEY if empty"),
  session_token: setting(Text, "", "Token of temporary credentials; AWS_SESSION_TOKEN if empty"),
  s3forcepathstyle: setting(
    Toggle,
    true,
    "Name the bucket in the path; false puts it in front of the host name",
  ),
  timeout: setting(DurationMs, "10s", "Time without a byte after which a request is tried again"),
  retry_for: setting(DurationMs, "20s", "Time a request is tried for until it is an error"),
  tls_ca_path: setting(Text, "", "Certificates that the store's must be signed by"),
  tls_insecure_skip_verify: setting(Toggle, false, "Do not check the store's certificate"),
});

export type S3Settings = typeof S3Settings.Type;
