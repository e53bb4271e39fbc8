/** The log of a container that is gone: it is not asked for again for ever. */
import t from "tap";
import type { Job, Lines } from "../../Lines.ts";
import { CursorTrail } from "../../positions/CursorTrail.ts";
import { ContainerLog } from "./ContainerLog.ts";
import type { DockerEngine } from "./DockerEngine.ts";

t.test("a log that cannot be read is given up when its container is gone, and not before", async (t) => {
  let asked = 0;
  const flushed: object[] = [];
  const trail = new CursorTrail("docker/a", undefined);
  const log = new ContainerLog({
    lines: {} as Lines["Service"],
    job: { pipeline: { flushOrigin: (origin: object) => flushed.push(origin) } } as unknown as Job,
    engine: {
      hasTerminal: () => Promise.reject(new Error(`status 404, ${++asked}`)),
    } as unknown as DockerEngine,
    containerId: "a",
    trail,
    labels: new Map(),
    // As it looks between the end of a container and the next look at all of them.
    isRunning: () => true,
    isPresent: () => asked < 2,
  });
  await log.run(new AbortController().signal);
  t.equal(asked, 2);
  t.equal(log.problem, "status 404, 2");
  t.strictSame(flushed, [trail], "what stages held of it is sent");
});
