/** `npm run image`: builds the container image with whatever of docker, podman and buildah is there. Owns the image's name and
 *  tag; Dockerfile has its content. `IMAGE=registry/name:tag npm run image` names it otherwise. Runs on Node 20. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
const image = process.env.IMAGE || `tailrace:${version}`;
// The health check has no place in the format that podman and buildah would choose.
const withHealthCheck = ["build", "--format", "docker"];
const builders = [
  { program: "docker", probe: ["info"], build: ["build"] },
  { program: "podman", probe: ["info"], build: withHealthCheck },
  { program: "buildah", probe: ["--version"], build: [...withHealthCheck, "--layers"] },
];

const builder = builders.find(({ program, probe }) =>
  spawnSync(program, probe, { stdio: "ignore" }).status === 0
);
if (builder === undefined) {
  process.stderr.write(
    "No image was built: neither docker (with its daemon running), podman nor buildah is there. Install one of them.\n",
  );
  process.exit(1);
}
const { program, build } = builder;
process.stdout.write(`image: ${program} builds ${image}\n`);
const { status } = spawnSync(program, [...build, "--tag", image, root], { stdio: "inherit" });
process.exitCode = status ?? 1;
