/** Format, lint and types as tests, so that npm test is the whole gate. scripts/check.mjs owns what is checked and how. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import t from "tap";

const script = fileURLToPath(new URL("../scripts/check.mjs", import.meta.url));

for (const name of ["format", "lint", "types", "page"]) {
  t.test(name, (t) => {
    // The test runner loads hooks into every Node it sees being started, which TypeScript's launcher does not survive.
    execFile(
      "env",
      ["-u", "NODE_OPTIONS", process.execPath, script, name],
      (error, stdout, stderr) => {
        t.ok(error === null, stdout.split("\n", 1)[0], { output: stdout + stderr });
        t.end();
      },
    );
  });
}
