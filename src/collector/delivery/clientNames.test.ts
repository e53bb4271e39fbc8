/** No two clients share a name: one would pass for having delivered what the other has. */
import { Result } from "effect";
import t from "tap";
import { parseConfig } from "../config/load.ts";
import { clientNames } from "./clientNames.ts";

t.test("names of clients", (t) => {
  const f = (clients: string, ...expected: ReadonlyArray<string>) => {
    const source = { file: "p.yaml", text: `clients: [${clients}]`, environment: null };
    const config = Result.getOrThrowWith(parseConfig(source), (error) => error);
    t.strictSame(clientNames(config.clients), expected, clients);
  };
  f(
    "{url: 'http://me:s3cret@a/x'}, {url: 'http://b/x', tenant_id: t}",
    "@http://a/x",
    "t@http://b/x",
  );
  f("{url: 'http://a/x', name: one}, {url: 'http://a/x'}", "one", "@http://a/x");
  f(
    "{url: 'http://a/x'}, {url: 'http://a/x', external_labels: {a: b}}, {url: 'http://u@a/x'}",
    "@http://a/x",
    "@http://a/x#2",
    "@http://a/x#3",
  );
  f("{url: 'http://a', name: x}, {url: 'http://b', name: x}", "x", "x#2");
  t.end();
});
