/** The parts of Docker's Engine API that logs need: containers, networks, events, logs. Owns paths and parameters. */
import { errorText } from "../../../platform/files.ts";
import { HttpEndpoint, type HttpStreamAnswer, linesOf } from "../../../platform/httpStream.ts";
import { authorizationOf } from "../../authorization.ts";
import type { DockerSdConfig } from "../../config/scrapeConfig.ts";
import type { DockerContainer, DockerNetwork } from "./containerLabels.ts";

const answerBytesMax = 64 << 20;
const eventBytesMax = 1 << 20;
const answerMs = 30_000;
/** A log or the events may be quiet for as long as they like. */
const quietMs = 0;

export class DockerEngine {
  readonly #endpoint: HttpEndpoint;
  readonly #config: DockerSdConfig;

  /** Throws if the host is no address. */
  constructor(config: DockerSdConfig) {
    this.#config = config;
    this.#endpoint = new HttpEndpoint(config.host, config.tls_config);
  }

  /** Containers that the filters let through, also those that have ended. */
  containers(signal: AbortSignal): Promise<ReadonlyArray<DockerContainer>> {
    const filters = Object.fromEntries(
      this.#config.filters.map(({ name, values }) => [name, values]),
    );
    return this.#json("/containers/json", { all: "1", filters: JSON.stringify(filters) }, signal);
  }

  networks(signal: AbortSignal): Promise<ReadonlyArray<DockerNetwork>> {
    return this.#json("/networks", {}, signal);
  }

  /** Whether the container has a terminal, which makes its log another form. */
  async hasTerminal(id: string, signal: AbortSignal): Promise<boolean> {
    const details = await this.#json<{ readonly Config?: { readonly Tty?: boolean } }>(
      `/containers/${encodeURIComponent(id)}/json`,
      {},
      signal,
    );
    return details.Config?.Tty === true;
  }

  /** Resolves when containers have started or gone. Ends with an error when it cannot be told any more. */
  async *changes(signal: AbortSignal): AsyncGenerator<void> {
    const filters = JSON.stringify({ type: ["container"], event: ["start", "die", "destroy"] });
    const answer = await this.#get("/events", { filters }, signal, quietMs);
    for await (const line of linesOf(answer.body, eventBytesMax)) if (line !== "") yield;
  }

  /** A container's log from a time on (seconds since 1970 with nanoseconds, as text), and on and on. */
  async log(
    id: string,
    since: string | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.#get(
      `/containers/${encodeURIComponent(id)}/logs`,
      {
        follow: "1",
        stdout: "1",
        stderr: "1",
        timestamps: "1",
        ...(since === undefined ? {} : { since }),
      },
      signal,
      quietMs,
    );
    return answer.body;
  }

  async #json<A>(
    path: string,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<A> {
    const answer = await this.#get(path, parameters, signal, answerMs);
    return JSON.parse(await answer.text(answerBytesMax)) as A;
  }

  async #get(
    path: string,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
    idleMs: number,
  ): Promise<HttpStreamAnswer> {
    const authorization = authorizationOf(this.#config);
    const answer = await this.#endpoint.get({
      path: `${path}?${new URLSearchParams(parameters)}`,
      headers: authorization === undefined ? {} : { authorization },
      signal,
      idleMs,
    });
    if (answer.status === 200) return answer;
    const text = await answer.text(1 << 20).catch(errorText);
    throw new Error(`${path}: status ${answer.status}: ${text.trim().slice(0, 300)}`);
  }
}
