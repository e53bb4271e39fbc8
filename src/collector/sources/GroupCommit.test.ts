/** Requests that share commits: each is done only after a commit that began after it. */
import t from "tap";
import { GroupCommit } from "./GroupCommit.ts";

t.test("requests during a commit share the next one", async (t) => {
  const commits: Array<{ resolve: () => void; reject: (error: Error) => void }> = [];
  const group = new GroupCommit(() =>
    new Promise((resolve, reject) => commits.push({ resolve, reject }))
  );
  const done: string[] = [];
  const request = (name: string) =>
    group.done().then(() => done.push(name), () => done.push(`${name} failed`));
  const first = request("a");
  const others = [request("b"), request("c")];
  t.equal(commits.length, 1);
  commits[0]!.resolve();
  await first;
  await new Promise((resolve) => setTimeout(resolve, 1));
  t.strictSame([done, commits.length], [["a"], 2]);
  commits[1]!.reject(new Error("disk"));
  await Promise.all(others);
  t.strictSame(done, ["a", "b failed", "c failed"]);
  const last = request("d");
  commits[2]!.resolve();
  await last;
  t.equal(done.at(-1), "d", "a failed commit is not the end");
});
