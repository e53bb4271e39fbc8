/** Which web pages may open a WebSocket: those that this server, or a proxy in front of it, shows. A page of another site could
 *  read a user's logs otherwise. */
import WebSocket from "ws";
import { onServer, type ScenarioBody } from "../../src/testing/onServer.ts";

onServer({}, {
  "pages of other hosts may open no WebSocket, own pages and programs may": origins,
});

async function origins(...[t, { server }]: Parameters<ScenarioBody>): Promise<void> {
  const { host, port } = new URL(server.baseUrl);
  const open: ReadonlyArray<Readonly<Record<string, string>>> = [
    {},
    { origin: `http://${host}` },
    { origin: `https://${host}` },
    { origin: "http://logs.example", host: "logs.example" },
    { origin: "http://LOGS.example", host: "logs.example:80" },
    { origin: "https://logs.example", host: "inside:3100", "x-forwarded-host": "logs.example" },
    { origin: "https://logs.example", host: "b:80", "x-forwarded-host": "logs.example, a:80" },
  ];
  const refused: ReadonlyArray<Readonly<Record<string, string>>> = [
    { origin: "http://evil.example" },
    { origin: `http://127.0.0.1:${Number(port) + 1}` },
    { origin: `http://127.0.0.1` },
    { origin: `http://${host}.evil.example` },
    { origin: `http://evil.example/${host}` },
    { origin: `http://${host}@evil.example` },
    { origin: "null" },
    { origin: "" },
    { origin: "file://" },
    { origin: "http://" },
    { origin: "http://undefined" },
    { origin: "chrome-extension://abcdef" },
    { origin: "http://logs.example", host: "logs.example:8080" },
    { origin: "http://evil.example", host: "b:80", "x-forwarded-host": "logs.example, a:80" },
    { origin: "http://", host: "b:80", "x-forwarded-host": ", a:80" },
  ];
  for (const path of ["/loki/api/v1/tail", "/api/prom/tail", "/tailrace/api/v1/query"]) {
    const url = `${server.baseUrl.replace(/^http/, "ws")}${path}?query=${
      encodeURIComponent('{a="b"}')
    }`;
    for (const headers of open) {
      t.equal(await statusOf(url, headers), 101, `${path} ${JSON.stringify(headers)}`);
    }
    for (const headers of refused) {
      t.equal(await statusOf(url, headers), 403, `${path} ${JSON.stringify(headers)}`);
    }
  }
}

/** The status that an upgrade is answered with. */
function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const socket = new WebSocket(url, { headers });
  return new Promise((resolve, reject) => {
    socket.on("open", () => {
      socket.terminate();
      resolve(101);
    });
    socket.on("unexpected-response", (_request, response) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on("error", reject);
  });
}
