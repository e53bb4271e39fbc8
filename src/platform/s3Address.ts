/** Where requests to a bucket of S3 go, and who sends them: the settings, and the environment as Amazon's tools name it. */
import type { S3Settings } from "./config/s3Settings.ts";

export interface S3Access {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Region and credentials, from the settings or else from the environment as Amazon's tools name them. */
export function s3Access(
  s3: S3Settings,
  environment: Readonly<Record<string, string | undefined>>,
): S3Access {
  const of = (text: string, ...names: ReadonlyArray<string>) =>
    text !== ""
      ? text
      : names.map((name) => environment[name] ?? "").find((value) => value !== "") ?? "";
  return {
    region: of(s3.region, "AWS_REGION", "AWS_DEFAULT_REGION") || "us-east-1",
    accessKeyId: of(s3.access_key_id, "AWS_ACCESS_KEY_ID"),
    secretAccessKey: of(s3.secret_access_key, "AWS_SECRET_ACCESS_KEY"),
    sessionToken: of(s3.session_token, "AWS_SESSION_TOKEN"),
  };
}

/** Where requests go: the bucket's own address, with a slash at the end. Throws if the endpoint is no URL. */
export function s3BucketUrl(
  { endpoint, bucket, s3forcepathstyle }: S3Settings,
  region: string,
): URL {
  const text = endpoint === "" ? `https://s3.${region}.amazonaws.com` : endpoint;
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error(
      `storage.s3.endpoint is "${endpoint}": want an address such as https://minio:9000`,
    );
  }
  if (!s3forcepathstyle) url.hostname = `${bucket}.${url.hostname}`;
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = s3forcepathstyle ? `${path}/${bucket}/` : `${path}/`;
  return url;
}
