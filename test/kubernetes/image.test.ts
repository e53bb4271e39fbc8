/** The image: what Dockerfile says it starts is started here, as the user's docker would, and its health check tells whether it
 *  is up; and a pod of the manifests starts the same program with the same sandbox. `npm run image` builds it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
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

function argumentOf(instruction: string): string {
  return image.find((line) => line.startsWith(`${instruction} `))!.slice(instruction.length + 1);
}

function jsonOf(instruction: string): ReadonlyArray<string> {
  return JSON.parse(argumentOf(instruction)) as ReadonlyArray<string>;
}
