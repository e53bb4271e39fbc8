/** Serves the built page: hashed assets for ever, index.html asked for each time, compressed when they were built, and a policy
 *  under which text from logs cannot run as script. platform/pageFiles.ts has the bytes. */
import { Effect } from "effect";
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http";
import type { Settings } from "../platform/config/mod.ts";
import { type PageFile, pagePolicy, readPageFiles } from "../platform/pageFiles.ts";
import { pageDirectory } from "../platform/paths.ts";
import { respondError } from "./respond.ts";

export const pageRoutes = (settings: Settings) =>
  HttpRouter.use(Effect.fnUntraced(function* (router) {
    if (!settings.ui.enabled) return;
    const directory = pageDirectory();
    if (directory === undefined) {
      yield* router.add(
        "GET",
        "/",
        respondError(404, "the page is not built: run `node scripts/prepare.mjs` and start again"),
      );
      return;
    }
    const files = readPageFiles(directory);
    const policy = pagePolicy(new TextDecoder().decode(files.get("/")?.plain));
    yield* router.add(
      "GET",
      "/*",
      HttpServerRequest.HttpServerRequest.use((request) => {
        const path = request.url.split("?", 1)[0] ?? "";
        const file = files.get(path === "/index.html" ? "/" : path);
        return Effect.succeed(
          file === undefined
            ? respondError(404, "404 page not found")
            : respondFile(path, file, policy, request.headers),
        );
      }),
    );
  }));

function respondFile(
  path: string,
  file: PageFile,
  policy: string,
  asked: Readonly<Record<string, string | undefined>>,
): HttpServerResponse.HttpServerResponse {
  const encoding = (["br", "gzip"] as const).find((name) =>
    file[name] !== undefined && accepts(asked["accept-encoding"] ?? "", name)
  );
  // A tag names the bytes that are sent: each encoding has its own.
  const tag = (name: string | undefined) => `"${file.hash}${name === undefined ? "" : `-${name}`}"`;
  const headers = {
    etag: tag(encoding),
    vary: "Accept-Encoding",
    "cache-control": path.startsWith("/assets/")
      ? "public, max-age=31536000, immutable"
      : "no-cache",
    "content-security-policy": policy,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  };
  const known = asked["if-none-match"] ?? "";
  // A client may hold another encoding than it would get now, and a proxy may have made the tag weak: the file is the same.
  if (known === "*" || known.includes(`"${file.hash}`)) {
    return HttpServerResponse.empty({ status: 304, headers });
  }
  return HttpServerResponse.uint8Array(encoding === undefined ? file.plain : file[encoding]!, {
    contentType: file.contentType,
    headers: encoding === undefined ? headers : { ...headers, "content-encoding": encoding },
  });
}

/** Whether the header Accept-Encoding names an encoding and does not give it the weight nought. */
function accepts(header: string, encoding: string): boolean {
  return header.split(",").some((part) => {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return name === encoding && !parameters.some((text) => /^q=0(\.0*)?$/.test(text));
  });
}
