/** `tailrace serve`: runs the server until it is told to stop. Owns what is said at the start;
 *  server.ts is the server. */
import { Effect } from "effect";
import { Command } from "effect/cli";
import { failed } from "./failure.ts";
import { ProcessSettings, settingsHelp } from "./processSettings.ts";

export const serve = Command.make(
  "serve",
  {},
  Effect.fnUntraced(function* () {
    const { load } = yield* ProcessSettings;
    const { settings, warnings } = yield* load;
    for (const warning of warnings) yield* Effect.logWarning(warning);
    // Loaded here and not above: the client commands start faster without the server's modules.
    const { checkSettings } = yield* Effect.promise(() => import("../checkSettings.ts"));
    yield* checkSettings(settings);
    const server = yield* Effect.promise(() => import("../server.ts"));
    yield* server.serve(settings).pipe(
      Effect.mapError((error) => failed(`The server cannot go on: ${error.message}`)),
    );
  }),
).pipe(
  Command.withShortDescription("Run the server"),
  Command.withDescription(
    `Run the server, with its page, until it receives SIGINT or SIGTERM.\n\n${settingsHelp}`,
  ),
  Command.withExamples([
    { command: "tailrace serve", description: "Port 3100, data in ./data" },
    {
      command: "tailrace serve --config.file=tailrace.yaml --server.log-level=debug",
      description: "A configuration file, with one setting changed",
    },
    {
      command: "TAILRACE_COMMON_PATH_PREFIX=/var/lib/tailrace tailrace serve",
      description: "Another data directory, from the environment",
    },
  ]),
);
