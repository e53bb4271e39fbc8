/** The image: what Dockerfile says it starts is started here, as the user's docker would, and its health check tells whether it
 *  is up; and a pod of the manifests starts the same program with the same sandbox. What the image holds is made here as its
 *  build makes it, and runs as somebody who may not write it. `npm run image` builds it. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { ContainerProcess } from "../../src/testing/containerProcess.ts";
import { renderManifests, workloads } from "../../src/testing/manifests.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const instructions = readFileSync(`${root}Dockerfile`, "utf8").replace(/^#.*\n/gm, "")
  .replace(/\\\n\s*/g, "").split("\n").filter((line) => line !== "");
/** Of the last stage, which is the image. */
const image = instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")));

t.test("the image starts what a pod starts", (t) => {
  const [pod] = workloads(renderManifests("overlays/single"));
  const { command } = pod!.spec!.template!.spec.containers[0]!;
  t.same(jsonOf("ENTRYPOINT"), command);
  t.match(
    argumentOf("USER"),
    /^[1-9]\d*:[1-9]\d*$/,
    "not root, and by number, as runAsNonRoot wants it",
  );
  const stages = instructions.filter((line) => line.startsWith("FROM "));
  t.ok(stages.length > 1, "what builds it is not in it");
  t.end();
});

t.test("the image's program runs, and its health check knows", async (t) => {
  const container = {
    name: "image",
    image: "tailrace",
    command: jsonOf("ENTRYPOINT"),
    args: jsonOf("CMD"),
    ports: [{ name: "http", containerPort: Number(argumentOf("EXPOSE")) }],
    readinessProbe: { httpGet: { path: "/ready", port: "http" } },
    volumeMounts: [{ name: "data", mountPath: argumentOf("VOLUME") }],
  };
  const process = await ContainerProcess.of([], { containers: [container] }, { podName: "image" });
  t.teardown(() => process.remove());
  const [program, ...parameters] = JSON.parse(
    image.find((line) => line.startsWith("HEALTHCHECK "))!.replace(/^.*? CMD /, "")
      .replaceAll("/3100", `/${process.port}`),
  ) as [string, ...string[]];
  const check = () => spawnSync(program, parameters).status;
  t.not(check(), 0, "before it is up");
  process.start();
  await process.untilReady();
  t.equal(check(), 0, "while it is up");
  t.equal(await process.stop(), 0);
  t.not(check(), 0, "after it has ended");
});

t.test("what the image holds runs where it may not be written", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tailrace-image-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const made = spawnSync("sh", [
    "-c",
    'umask 077; exec env -u NODE_OPTIONS "$0" scripts/image-content.mjs "$1"',
    process.execPath,
    folder,
  ], { cwd: root, encoding: "utf8" });
  t.equal(made.status, 0, made.stderr);
  const app = join(folder, "app");
  t.same(
    readdirSync(app).sort(),
    [".deno", "LICENSE", "bin", "build", "deno.json", "node_modules", "package.json", "src", "ui"],
  );
  const files = readdirSync(app, { recursive: true }) as ReadonlyArray<string>;
  const unused =
    /\.test\.ts$|\.d\.ts$|\.map$|^src.testing|^node_modules.(tap|typescript|vite|deno)\b/;
  t.same(files.filter((file) => unused.test(file)), []);
  const licences = (base: string) =>
    (readdirSync(base, { recursive: true }) as ReadonlyArray<string>)
      .filter((file) => /(^|[\\/])licen[cs]e[^\\/]*$/i.test(file));
  for (const name of readdirSync(join(app, "node_modules", "@nats-io"))) {
    const path = join("node_modules", "@nats-io", name);
    t.same(licences(join(app, path)), licences(join(root, path)), "licences go with the code");
  }
  const closed = ["", ...files].filter((file) => {
    const mode = statSync(join(app, file)).mode & 0o777;
    return mode !== 0o755 && mode !== 0o644;
  });
  t.same(closed, [], "everybody may read it, whatever the umask was");

  // Root may write everywhere: it becomes the user of the image.
  const user: { uid?: number; gid?: number } = process.getuid?.() === 0
    ? { uid: 65532, gid: 65532 }
    : {};
  for (const path of [folder, app, join(app, ".deno")]) chmodSync(path, 0o555);
  const program = join(folder, "usr", "local", "bin", "deno");
  const options = {
    ...user,
    cwd: "/",
    env: { DENO_DIR: join(app, ".deno"), DENO_NO_UPDATE_CHECK: "1", PATH: "/usr/bin:/bin" },
  };
  const run = (parameters: ReadonlyArray<string>) =>
    spawnSync(program, ["run", ...parameters], { ...options, encoding: "utf8" });
  const flags = ["--no-prompt", "--no-lock", `--config=${join(app, "deno.json")}`];
  const main = run([
    "--log-level=debug",
    "--v8-flags=--expose-gc",
    ...flags,
    "--allow-env",
    "--allow-sys=cpus,hostname",
    `--allow-read=${app}`,
    join(app, "src", "main.ts"),
    "--version",
  ]);
  t.match(main.stdout, /^tailrace v\d/m);
  t.ok(/V8 code cache hit .*src\/main\.ts/.test(main.stderr), "it need not be compiled again");
  const launcher = [...flags, "--quiet", "--allow-all", join(app, "bin", "tailrace.mjs")];
  t.match(run([...launcher, "--help"]).stdout, /rebuild-index/);
  const plan = run([...launcher, "serve", "--server.http-listen-port=none"]);
  t.equal(plan.status, 2, "the launcher reads the configuration on Deno too");
  t.match(plan.stderr, /http_listen_port|http-listen-port/);
  const client = "--client.url=http://localhost:3100/loki/api/v1/push";
  const check = run([...launcher, "collect", "--kubernetes", client, "--check"]);
  t.equal(check.status, 0, check.stderr);
  const data = mkdtempSync(join(tmpdir(), "tailrace-image-data-"));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  if (user.uid !== undefined) chownSync(data, user.uid, user.uid);
  const address = ["--server.http-listen-address=127.0.0.1", "--server.http-listen-port=0"];
  const server = spawn(
    program,
    ["run", ...launcher, "serve", `--common.path-prefix=${data}`, ...address],
    options,
  );
  t.teardown(() => server.kill("SIGKILL"));
  for (const stream of [server.stdout, server.stderr]) {
    stream.on("data", (part: Buffer) => /listening on/.test(`${part}`) && server.kill("SIGTERM"));
  }
  const code = await new Promise((resolve) => server.once("close", resolve));
  t.equal(code, 0, "told to stop, it ends well");
});

t.test("a build sees what the image is made of, and no secrets", (t) => {
  const patterns = readFileSync(`${root}.dockerignore`, "utf8").split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  t.equal(patterns[0], "*", "nothing but what is named");
  const named = patterns.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  t.ok(named.length > 0);
  t.same(named.filter((name) => !existsSync(join(root, name))), [], "which is there");
  t.same(named.filter((name) => /^(\.|k8s|data|node_modules)/.test(name)), []);
  t.end();
});

function argumentOf(instruction: string): string {
  return image.find((line) => line.startsWith(`${instruction} `))!.slice(instruction.length + 1);
}

function jsonOf(instruction: string): ReadonlyArray<string> {
  return JSON.parse(argumentOf(instruction)) as ReadonlyArray<string>;
}
