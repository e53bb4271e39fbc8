/** The settings of the connection to NATS and of what is kept there, used when storage.engine is nats. Owns names, defaults and
 *  descriptions; src/cluster says how they are used. */
import { Result, Schema } from "effect";
import { setting } from "./setting.ts";
import { ByteSize, oneOf, scalar, Text, wholeNumber } from "./units.ts";

/** Addresses. The client takes no user from one, and errors show them. */
const ServerUrls = scalar(
  Schema.String,
  (text) =>
    text.includes("@")
      ? Result.fail(
        "an address with a user or token in it: addresses have none, set nats.user and nats.password instead",
      )
      : Result.succeed(text),
  (value) => value,
);

export const NatsSettings = Schema.Struct({
  url: setting(
    ServerUrls,
    "nats://127.0.0.1:4222",
    "Servers, with commas between them; tls:// for TLS",
  ),
  user: setting(Text, "", "User name, with nats.password"),
  password: setting(Text, "", "Password of nats.user"),
  nkey_file: setting(Text, "", "File with the seed of an nkey"),
  creds_file: setting(Text, "", "File with a user's JWT and seed, as nsc writes it"),
  tls_ca_file: setting(Text, "", "Certificates that the servers' must be signed by"),
  tls_cert_file: setting(Text, "", "Certificate of this client, for mutual TLS"),
  tls_key_file: setting(Text, "", "Key of nats.tls_cert_file"),
  inbox_prefix: setting(
    Text,
    "_INBOX",
    "Subjects that answers come on; one of its own for each role keeps others from reading them",
  ),
  replicas: setting(oneOf(["1", "3", "5"]), "3", "Copies of everything; 1 for a single server"),
  log_max_bytes: setting(
    ByteSize,
    "1GB",
    "Bytes of a partition's write log; beyond it pushes are answered 429 until a segment is committed",
  ),
  object_shards: setting(
    wholeNumber(1, 64),
    1,
    "Object buckets that segments are spread over; more write faster, and the number must not change later",
  ),
});
