/** The connection of client commands to a server: its flags, requests, and what is said when a request fails. Owns wording
 *  and headers; what the answers mean is each command's business. */
import { Config, Effect, Option, Result, Schema } from "effect";
import { Flag } from "effect/cli";
import { type CommandFailed, failed, misused } from "./failure.ts";

/** Where requests go. `url` has no slash at its end. */
export interface Connection {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The flags of every client command. */
export const connectionFlags = {
  addr: Flag.String("addr").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("The server; also TAILRACE_ADDR (default http://127.0.0.1:3100)"),
    Flag.withFallbackConfig(Config.String("TAILRACE_ADDR")),
    Flag.withDefault("http://127.0.0.1:3100"),
  ),
  tenant: Flag.String("tenant").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("The tenant, sent as X-Scope-OrgID; also TAILRACE_TENANT"),
    Flag.withFallbackConfig(Config.String("TAILRACE_TENANT")),
    Flag.optional,
  ),
  header: Flag.String("header").pipe(
    Flag.withMetavar("NAME: VALUE"),
    Flag.withDescription('A further header, such as "Authorization: Bearer ..."; may be repeated'),
    Flag.atLeast(0),
  ),
};

/** What the flags above were given as. */
export interface ConnectionOptions {
  readonly addr: string;
  readonly tenant: Option.Option<string>;
  readonly header: ReadonlyArray<string>;
}

/** The connection for the flags; fails if the address is no URL or a header has no name. */
export const connectionOf = Effect.fnUntraced(function* (options: ConnectionOptions) {
  const address = options.addr.includes("://") ? options.addr : `http://${options.addr}`;
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return yield* misused(`--addr "${options.addr}" is not an http or https address`);
  }
  const headers: Record<string, string> = { "user-agent": "tailrace" };
  if (Option.isSome(options.tenant)) headers["x-scope-orgid"] = options.tenant.value;
  for (const text of options.header) {
    const match = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/.exec(text);
    if (match === null) return yield* misused(`--header "${text}": write "Name: value"`);
    headers[match[1]!.toLowerCase()] = match[2]!;
  }
  return { url: url.href.replace(/\/+$/, ""), headers } satisfies Connection;
});

/** An answer with its whole body. */
export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

/** Sends a request and reads the whole answer, whatever its status. Fails only if there was none. */
export function send(
  connection: Connection,
  path: string,
  request: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Uint8Array<ArrayBuffer>;
  } = {},
): Effect.Effect<Reply, CommandFailed> {
  return Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`${connection.url}${path}`, {
        ...request,
        headers: { ...connection.headers, ...request.headers },
        signal,
      });
      return {
        status: response.status,
        text: await response.text(),
        retryAfter: response.headers.get("retry-after"),
      };
    },
    catch: (cause) => failed(noAnswerMessage(connection.url, cause)),
  });
}

/** A question to the server. `query` is shown with an error about it. */
export interface Question<A> {
  readonly path: string;
  readonly parameters: ReadonlyArray<readonly [string, string]>;
  readonly answer: Schema.Codec<A, unknown>;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** GETs JSON of the shape `answer`. */
export const ask = Effect.fnUntraced(function* <A>(connection: Connection, question: Question<A>) {
  const { path, parameters, answer, query, headers = {} } = question;
  const search = new URLSearchParams();
  for (const [name, value] of parameters) search.append(name, value);
  const reply = yield* send(connection, `${path}?${search}`, { headers });
  if (reply.status !== 200) return yield* failed(refusalMessage(reply.status, reply.text, query));
  const decoded = Schema.decodeUnknownResult(Schema.fromJsonString(answer))(reply.text);
  if (Result.isFailure(decoded)) {
    return yield* failed(
      `${connection.url}${path} did not answer as Loki's API does: ${decoded.failure.message}`,
    );
  }
  return decoded.success;
});

/** The server's words, and for a mistake in a query the query with a caret below the place. */
export function refusalMessage(status: number, text: string, query: string | undefined): string {
  const message = text.trim() === "" ? `The server answered with status ${status}` : text.trim();
  const position = /line (\d+), col (\d+)/.exec(message);
  if (query === undefined || position === null) return message;
  const line = query.split("\n")[Number(position[1]) - 1];
  if (line === undefined) return message;
  return `${message}\n\n  ${line}\n  ${" ".repeat(Math.max(0, Number(position[2]) - 1))}^`;
}

/** What to say when no answer came: which address, why, and how to start a server. */
export function noAnswerMessage(url: string, cause: unknown): string {
  const reason = reasonOf(cause);
  const hint = /refused|reset|closed/i.test(reason)
    ? '\nStart one with "tailrace serve" (or "npm start"), or name another with --addr or TAILRACE_ADDR.'
    : "";
  return `No answer from ${url}: ${reason}${hint}`;
}

/** The innermost reason: fetch wraps it, each runtime in its own way. */
function reasonOf(cause: unknown): string {
  let error = cause;
  while (error instanceof Error && error.cause instanceof Error) error = error.cause;
  if (error instanceof AggregateError && error.errors.length > 0) error = error.errors[0];
  if (!(error instanceof Error)) return String(error);
  if (/refused/i.test(error.message)) return "connection refused";
  return error.message || error.name;
}
