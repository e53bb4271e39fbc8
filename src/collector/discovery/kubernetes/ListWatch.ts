/** Keeps up with the objects of one kind: lists them, then watches for changes, for ever. Owns the protocol
 *  (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes); what the objects
 *  mean is the caller's, who keeps what it needs of them, since nothing is kept here.
 *
 *  - A watch goes on from the version of the last event or bookmark, also after it was cut.
 *  - 410 Gone, as the answer or as an event, means that this version is forgotten: all is listed again.
 *  - Whatever else fails is tried again, with growing pauses.
 *  Invariant: after `onList` the caller knows exactly the objects of that list; events since then are told in order. */
import { type HttpStreamAnswer, linesOf } from "../../../platform/httpStream.ts";
import { errorText } from "../../../platform/files.ts";
import type { ClusterAccess } from "./clusterAccess.ts";

/** What all objects have. */
export interface KubernetesObject {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>> | null;
    readonly annotations?: Readonly<Record<string, string>> | null;
  };
}

export interface ListWatchOptions<T extends KubernetesObject> {
  readonly access: ClusterAccess;
  /** Such as `/api/v1/pods`. */
  readonly path: string;
  /** labelSelector, fieldSelector. */
  readonly selectors: Readonly<Record<string, string>>;
  readonly onList: (objects: ReadonlyArray<T>) => void;
  readonly onChange: (type: "ADDED" | "MODIFIED" | "DELETED", object: T) => void;
  /** Told once when it begins to fail, and `undefined` when all is well again. */
  readonly onProblem: (message: string | undefined) => void;
  /** Waits; tests make it shorter. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Objects of one page of a list: what the API server's own clients ask for. */
const pageSize = 500;
const listBytesMax = 256 << 20;
const eventBytesMax = 16 << 20;
/** A watch is ended by the server after so long, a little more or less, so that not all come back at once. */
const watchSeconds = 300;
const pauseMsMin = 500;
const pauseMsMax = 30_000;

/** The version is forgotten: what has changed since cannot be told. */
class Gone extends Error {
  override readonly name = "Gone";
}

export class ListWatch<T extends KubernetesObject> {
  readonly #options: ListWatchOptions<T>;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  #version = "";
  #pauseMs = 0;
  #isFailing = false;
  /** Whether the list may come from the server's cache, which can be behind. */
  #mayBeCached = true;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    this.#sleep = options.sleep ?? sleep;
  }

  /** Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === "") await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error);
      }
      if (this.#pauseMs > 0) {
        await this.#sleep(this.#pauseMs * (0.75 + Math.random() / 2), signal);
      }
    }
  }

  #failed(error: unknown): void {
    if (error instanceof Gone) {
      this.#version = "";
      // The cache is what did not know the version.
      this.#mayBeCached = false;
      // Once at once; a server that forgets everything is not to be asked in a circle.
      this.#pauseMs = this.#pauseMs === 0 ? 1 : Math.min(pauseMsMax, this.#pauseMs * 2);
      return;
    }
    // That a watch is cut now and then is nothing to tell.
    if (this.#pauseMs > 0 && !this.#isFailing) {
      this.#isFailing = true;
      this.#options.onProblem(errorText(error));
    }
    this.#pauseMs = Math.min(pauseMsMax, Math.max(pauseMsMin, this.#pauseMs * 2));
  }

  #answered(): void {
    if (this.#isFailing) this.#options.onProblem(undefined);
    this.#isFailing = false;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const objects: T[] = [];
    let next = "";
    for (;;) {
      const answer = await this.#get({
        limit: String(pageSize),
        ...(next !== "" ? { continue: next } : this.#mayBeCached ? { resourceVersion: "0" } : {}),
      }, signal);
      await check(answer);
      const page = JSON.parse(await answer.text(listBytesMax)) as {
        readonly items?: ReadonlyArray<T> | null;
        readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
      };
      for (const object of page.items ?? []) objects.push(object);
      next = page.metadata?.continue ?? "";
      if (next !== "") continue;
      this.#version = page.metadata?.resourceVersion ?? "";
      if (this.#version === "") throw new Error("the list has no resourceVersion");
      this.#mayBeCached = true;
      this.#options.onList(objects);
      this.#answered();
      this.#pauseMs = 0;
      return;
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    const seconds = Math.round(watchSeconds * (0.8 + Math.random() * 0.4));
    const answer = await this.#get(
      {
        watch: "1",
        allowWatchBookmarks: "true",
        resourceVersion: this.#version,
        timeoutSeconds: String(seconds),
      },
      signal,
      (seconds + 30) * 1000,
    );
    await check(answer);
    this.#answered();
    for await (const line of linesOf(answer.body, eventBytesMax)) {
      if (line !== "") this.#event(line);
    }
    // A server that ends each watch at once is not asked again at once.
    if (performance.now() - startedMs < 1000) throw new Error("watches end at once");
    this.#pauseMs = 0;
  }

  #event(line: string): void {
    const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: T };
    switch (type) {
      case "ADDED":
      case "MODIFIED":
      case "DELETED":
        this.#options.onChange(type, object);
        break;
      case "BOOKMARK":
        break;
      case "ERROR": {
        const { code, message } = object as { readonly code?: number; readonly message?: string };
        if (code === 410) throw new Gone(message);
        // Whatever it is, the version may be its reason.
        this.#version = "";
        throw new Error(message ?? `the watch ended with status ${code}`);
      }
      default:
        return;
    }
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    this.#pauseMs = 0;
  }

  #get(
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
    idleMs = 60_000,
  ): Promise<HttpStreamAnswer> {
    const { access, path, selectors } = this.#options;
    const authorization = access.authorization();
    return access.endpoint.get({
      path: `${path}?${new URLSearchParams({ ...selectors, ...parameters })}`,
      headers: {
        accept: "application/json",
        ...(authorization === undefined ? {} : { authorization }),
      },
      signal,
      idleMs,
    });
  }
}

/** Throws unless the status is 200. */
async function check({ status, text }: HttpStreamAnswer): Promise<void> {
  if (status === 200) return;
  const body = await text(1 << 20).catch(() => "");
  let message = body.slice(0, 300);
  try {
    message = (JSON.parse(body) as { message?: string }).message ?? message;
  } catch {
    // It is not from an API server, then.
  }
  if (status === 410) throw new Gone(message);
  throw new Error(`status ${status}: ${message.trim()}`);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
