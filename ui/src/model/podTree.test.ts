/** The tree of pods: counts add up, order and search show what they should, and pods are selected by namespace and name. */
import t from "tap";
import { linesOf, matchersOfPods, type Order, treeOf } from "./podTree.ts";
import { printSelector } from "./selector.ts";

const streams = ["shop", "bank"].flatMap((namespace) =>
  ["web", "db"].flatMap((app) =>
    [0, 1].flatMap((i) =>
      ["main", "side"].map((container) => ({ namespace, app, pod: `${app}-${i}`, container }))
    )
  )
);
const { namespace: _, ...elsewhere } = streams[0]!;
const counts = (of: (labels: Record<string, string>) => number) =>
  streams.map((labels) => ({ labels, count: of(labels) }));
const roots = treeOf(
  [...streams, elsewhere],
  counts(() => 3),
  counts(({ namespace, app, pod }) =>
    namespace === "shop" && app === "web" ? (pod === "web-1" ? 2 : 1) : 0
  ),
);

const drawn = (search: string, order: Order = "name", open: readonly string[] = []) =>
  linesOf(roots, new Set(open), search, order).map(({ node, depth, isOpen }) =>
    `${"  ".repeat(depth)}${isOpen ? "-" : "+"}${node.name} ${node.lines} ${node.errors}`
  );
const namespaces = roots.filter(({ kind }) => kind === "namespace");

t.test("closed, there are the namespaces with all that is below them", async (t) => {
  t.strictSame(namespaces.map(({ name, lines, errors }) => [name, lines, errors]), [
    ["bank", 24, 0],
    ["shop", 24, 6],
  ]);
  t.strictSame(drawn("").slice(0, 2), ["+bank 24 0", "+shop 24 6"]);
});

t.test("ordered by errors, each level has the most first", async (t) => {
  const open = namespaces.flatMap(({ key, children }) => [key, ...children.map(({ key }) => key)]);
  t.strictSame(drawn("", "errors", open).slice(0, 7), [
    "-shop 24 6",
    "  -web 12 6",
    "    +web-1 6 4",
    "    +web-0 6 2",
    "  -db 12 0",
    "    +db-0 6 0",
    "    +db-1 6 0",
  ]);
});

t.test("a search shows the way to what it finds, and what hangs on it can be opened", async (t) => {
  t.strictSame(drawn("web-1"), [
    "-bank 24 0",
    "  -web 12 0",
    "    +web-1 6 0",
    "-shop 24 6",
    "  -web 12 6",
    "    +web-1 6 4",
  ]);
  t.strictSame(drawn("shop"), ["+shop 24 6"]);
  t.strictSame(drawn("shop", "name", [namespaces[1]!.key]), [
    "-shop 24 6",
    "  +db 12 0",
    "  +web 12 6",
  ]);
  t.strictSame(drawn("nothing"), []);
});

t.test("pods are selected with their namespaces, by their very names", async (t) => {
  const pod = (namespace: string, name: string) => {
    const [root] = treeOf([{ namespace, pod: name }], [], []);
    return root!.children[0]!;
  };
  t.equal(
    printSelector(matchersOfPods([pod("shop", "web-0"), pod("shop", "a.b")])),
    String.raw`{namespace=~"shop", pod=~"a\\.b|web-0"}`,
  );
});
