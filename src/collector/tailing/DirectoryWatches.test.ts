/** Directories that are watched: changes are told, and one that is noisy is left alone for a while. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { DirectoryWatches } from "./DirectoryWatches.ts";

t.setTimeout(0);

const root = mkdtempSync(join(tmpdir(), "tailrace-watches-"));
t.teardown(() => rmSync(root, { recursive: true }));

/** Watches that remember what they told. */
function watching() {
  const told: string[] = [];
  const watches = new DirectoryWatches(
    (directory, name) => told.push(join(directory, name)),
    (message) => t.fail(message),
  );
  /** Writes to the file until its change is told. */
  const isTold = async (path: string) => {
    const before = told.length;
    while (!told.slice(before).includes(path)) {
      writeFileSync(path, "x");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { watches, told, isTold };
}

function directory(name: string): string {
  const path = join(root, name);
  mkdirSync(path);
  return path;
}

t.test("exactly the directories asked for are watched", async (t) => {
  const { watches, isTold } = watching();
  t.teardown(() => watches.close());
  const [a, b] = [directory("a"), directory("b")];
  watches.retain([a, join(root, "nowhere")]);
  await isTold(join(a, "file"));
  watches.retain([a, b]);
  await isTold(join(b, "file"));
  await isTold(join(a, "file"));
  t.equal(watches.count, 2);
  watches.retain([b]);
  t.equal(watches.count, 1);
  watches.retain([a]);
  await isTold(join(a, "file"));
});

t.test("a noisy directory is left alone for a while", async (t) => {
  const { watches, told, isTold } = watching();
  t.teardown(() => watches.close());
  const [noisy, quiet] = [directory("noisy"), directory("quiet")];
  watches.retain([noisy, quiet]);
  await isTold(join(noisy, "file"));
  while (told.length < 250) await isTold(join(noisy, "file"));
  watches.sweep();
  const before = told.length;
  for (let sweep = 0; sweep < 14; sweep++) {
    writeFileSync(join(noisy, "file"), "x");
    // Later than what came before it.
    await isTold(join(quiet, "file"));
    watches.sweep();
  }
  const since = told.slice(before).filter((path) => path.startsWith(noisy));
  t.strictSame(since, [], "nothing of it is told");
  watches.sweep();
  await isTold(join(noisy, "file"));
});
