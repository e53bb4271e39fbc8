// One request to the server, its errors in words. serverUrl.ts owns addresses, loki.ts and its neighbours what is asked.
// Invariant: what boot.ts asked already is not asked again.
import { takeResponse } from "./headStart.ts";
import { serverUrl, tenantHeaders } from "./serverUrl.ts";

/** What went wrong, for a person: the server's own words, and where in the query it points (1-based). */
export class ApiError extends Error {
  /** HTTP status, or 0 when there was no answer. */
  readonly status: number;
  readonly position: { readonly line: number; readonly column: number } | undefined;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    const found = /line (\d+),? col(?:umn)?:? ?(\d+)/i.exec(message);
    this.position = found === null
      ? undefined
      : { line: Number(found[1]), column: Number(found[2]) };
  }
}

/** Asks a path and gives the JSON of the answer; a long query goes as a form. Throws ApiError. */
export async function request<Answer>(
  path: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await send(path, parameters, signal, headers);
  try {
    return await response.json() as Answer;
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new ApiError(
      response.status,
      `The answer of ${path} is not JSON. Does a proxy stand in between?`,
    );
  }
}

/** Asks a path and gives the answer as text. Throws ApiError. */
export async function requestText(path: string, signal: AbortSignal): Promise<string> {
  return await (await send(path, {}, signal, {})).text();
}

/** Deletes what a path names. Throws ApiError. */
export async function remove(path: string): Promise<void> {
  const response = await fetch(serverUrl(path), { method: "DELETE", headers: tenantHeaders() });
  if (!response.ok) {
    throw new ApiError(response.status, errorMessage(response.status, await response.text()));
  }
}

const addressCharactersMax = 4000;
const messageCharactersMax = 4000;

async function send(
  path: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
  headers: Record<string, string>,
): Promise<Response> {
  const url = serverUrl(path);
  const form = new URLSearchParams(parameters);
  // Proxies refuse long addresses; every read endpoint takes a form as well.
  const post = url.href.length + form.toString().length > addressCharactersMax;
  if (!post) url.search = form.toString();
  let response: Response;
  try {
    response = await (takeResponse(url) ?? fetch(url, {
      signal,
      headers: { ...headers, ...tenantHeaders() },
      ...(post ? { method: "POST", body: form } : {}),
    }));
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new ApiError(
      0,
      `No answer from ${url.host}. Is the server running, and can this browser reach it?`,
    );
  }
  if (!response.ok) {
    throw new ApiError(response.status, errorMessage(response.status, await response.text()));
  }
  return response;
}

function errorMessage(status: number, body: string): string {
  let message = body.trim();
  try {
    const parsed = JSON.parse(message) as { message?: unknown; error?: unknown };
    if (typeof parsed.message === "string") message = parsed.message;
    else if (typeof parsed.error === "string") message = parsed.error;
  } catch {
    // Loki's errors are plain text; only gateways in front of it answer in JSON.
  }
  if (message === "" || /^<(!doctype|html)/i.test(message)) {
    message = `The server answered ${status}.`;
  }
  if (message === "no org id") {
    message += ": this server has several tenants; choose one at the top of the page.";
  }
  return message.slice(0, messageCharactersMax);
}
