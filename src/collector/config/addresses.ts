/** Addresses that a configuration names, to listen on and to ask: a mistake in one is told with its line, and not by a
 *  socket or a parser of URLs when the collector runs. */
import { Schema } from "effect";
import { Text } from "./scalars.ts";

/** host:port, where a source listens; without a host everywhere. An IPv6 address stands in brackets. */
export const ListenAddress = Text.check(
  Schema.makeFilter((address) =>
    isListenAddress(address) ||
    `"${address}" is no address to listen on: write host:port, such as 0.0.0.0:1514 or [::]:1514`
  ),
);

/** What pages listen on; their port is another key's. */
export const ListenHost = Text.check(
  Schema.makeFilter((host) => {
    const port = /^[^:]*:(\d+)$/.exec(host)?.[1];
    return port === undefined ||
      `"${host}" has a port, which has a key of its own: http_listen_port: ${port}`;
  }),
);

/** http://… or https://…, to which paths are added. */
export const HttpUrl = Text.check(
  Schema.makeFilter((url) =>
    isUrl(url, ["http:", "https:"]) || `"${url}" is not a URL such as https://10.0.0.1:6443`
  ),
);

/** Where Docker listens. */
export const DockerHost = Text.check(
  Schema.makeFilter((host) =>
    isUrl(host, ["unix:", "tcp:", "http:", "https:"]) ||
    `"${host}" is not Docker's address: write unix:///var/run/docker.sock, tcp://host:2375 or a URL`
  ),
);

function isListenAddress(address: string): boolean {
  const port = /^(?:[^:\[\]\s]*|\[[0-9a-fA-F:.]+(?:%\w+)?\]):(\d{1,5})$/.exec(address)?.[1];
  return port !== undefined && Number(port) <= 65535;
}

function isUrl(text: string, protocols: ReadonlyArray<string>): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, host, pathname } = new URL(text);
  return protocols.includes(protocol) && (protocol === "unix:" ? pathname.length > 1 : host !== "");
}
