/** Asks a server about its rules. Owns requests and waiting; what is expected is the test's business. */

export interface ShownAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
  readonly activeAt: string;
  readonly value: string;
}

export interface ShownGroup {
  readonly name: string;
  readonly file: string;
  readonly lastEvaluation: string;
  readonly rules: ReadonlyArray<{ readonly health: string; readonly lastError?: string }>;
}

export class RuleClient {
  readonly #baseUrl: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(baseUrl: string, headers: Readonly<Record<string, string>> = {}) {
    this.#baseUrl = baseUrl;
    this.#headers = headers;
  }

  /** Status and text. */
  async send(method: string, path: string, body?: string): Promise<[number, string]> {
    const response = await fetch(`${this.#baseUrl}${path}`, {
      method,
      headers: this.#headers,
      ...(body === undefined ? {} : { body }),
    });
    return [response.status, await response.text()];
  }

  async groups(query = ""): Promise<ReadonlyArray<ShownGroup>> {
    return (await this.#data(`/prometheus/api/v1/rules${query}`))["groups"] as ShownGroup[];
  }

  groupsUntil(wanted: (groups: ReadonlyArray<ShownGroup>) => boolean) {
    return until(() => this.groups(), wanted);
  }

  alertsUntil(wanted: (alerts: ReadonlyArray<ShownAlert>) => boolean) {
    return until(
      async () => (await this.#data("/prometheus/api/v1/alerts"))["alerts"] as ShownAlert[],
      wanted,
    );
  }

  async #data(path: string): Promise<Record<string, unknown>> {
    const [status, text] = await this.send("GET", path);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return JSON.parse(text).data;
  }
}

/** Asks until the answer is wanted. */
export async function until<A>(
  ask: () => Promise<A>,
  wanted: (answer: A) => boolean,
): Promise<A> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
