/** The page's files over HTTP: policy, caching, compression, HEAD. What the page does in a browser is test/browser's. */
import { createHash } from "node:crypto";
import { get } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import t from "tap";
import { defaultSettings, settingsWith } from "../platform/config/mod.ts";
import { withRoutes } from "../testing/routesServer.ts";
import { pageRoutes } from "./page.ts";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** A request whose answer stays as it was sent: fetch would decompress it. */
function request(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(parts) });
      });
    }).on("error", reject).end();
  });
}

t.test("the page's policy knows one inline script by its hash, and index.html is asked for each time", async (t) => {
  await withRoutes(pageRoutes(defaultSettings), async (baseUrl) => {
    const { status, headers, body } = await request(baseUrl);
    t.equal(status, 200);
    t.match(body.toString(), /<script [^>]*type="module"[^>]* src="\.?\/assets\//);
    const policy = String(headers["content-security-policy"]);
    t.match(policy, /^default-src 'self';/);
    const inline = /<script>([^]*?)<\/script>/.exec(body.toString())?.[1] ?? "";
    t.match(inline, "tailraceHeadStart");
    const hash = createHash("sha256").update(inline).digest("base64");
    t.ok(policy.includes(`; script-src 'self' 'sha256-${hash}';`), policy);
    for (const part of ["object-src", "base-uri", "frame-ancestors", "form-action"]) {
      t.ok(policy.includes(part), part);
    }
    t.notMatch(policy, /unsafe|data:|ws:|\*/);
    t.equal(headers["cache-control"], "no-cache");
    t.equal(headers["x-content-type-options"], "nosniff");
    for (
      const path of [
        "nothing",
        "assets",
        "assets/",
        "index.html.gz",
        "%2e%2e%2findex.html",
        "__proto__",
      ]
    ) {
      t.equal((await request(`${baseUrl}/${path}`)).status, 404, path);
    }
    t.equal((await request(`${baseUrl}/?q=%7Bapp%3D%22a%22%7D`)).body.length, body.length);
  });
});

t.test("assets are compressed for those who ask, and known again by their tag", async (t) => {
  await withRoutes(pageRoutes(defaultSettings), async (baseUrl) => {
    const page = (await request(baseUrl)).body.toString();
    const path = / src="\.?(\/assets\/[^"]+)"/.exec(page)![1]!;
    const plain = await request(baseUrl + path);
    t.equal(plain.headers["content-encoding"], undefined);
    t.equal(plain.headers["cache-control"], "public, max-age=31536000, immutable");
    t.match(plain.headers["vary"], "Accept-Encoding");
    const packed = await request(baseUrl + path, { "accept-encoding": "gzip, deflate" });
    t.equal(packed.headers["content-encoding"], "gzip");
    t.ok(packed.body.length < plain.body.length / 2);
    t.ok(gunzipSync(packed.body).equals(plain.body));
    const smallest = await request(baseUrl + path, { "accept-encoding": "gzip;q=0.5, br" });
    t.equal(smallest.headers["content-encoding"], "br");
    t.ok(smallest.body.length < packed.body.length);
    t.ok(brotliDecompressSync(smallest.body).equals(plain.body));
    for (const refusing of ["", "identity", "br;q=0, gzip; q=0.0", "brotli"]) {
      const { headers } = await request(baseUrl + path, { "accept-encoding": refusing });
      t.equal(headers["content-encoding"], undefined, refusing);
    }
    t.equal(new Set([plain, packed, smallest].map(({ headers }) => headers["etag"])).size, 3);
    for (const { headers } of [plain, packed, smallest]) {
      const again = await request(baseUrl + path, {
        "accept-encoding": "gzip",
        "if-none-match": `"other", W/${headers["etag"]}`,
      });
      t.equal(again.status, 304);
      t.equal(again.body.length, 0);
      t.ok(again.headers["content-security-policy"]);
    }
    const changed = await request(baseUrl + path, { "if-none-match": '"other"' });
    t.equal(changed.status, 200);
    const head = await request(baseUrl + path, {}, "HEAD");
    t.equal(head.status, 200);
    t.equal(head.headers["content-length"], String(plain.body.length));
    t.equal(head.body.length, 0);
  });
});

t.test("ui.enabled false serves no page", async (t) => {
  await withRoutes(pageRoutes(settingsWith({ "ui.enabled": "false" })), async (baseUrl) => {
    t.equal((await request(baseUrl)).status, 404);
  });
});
