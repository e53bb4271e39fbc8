/** `tailrace rebuild-index`: makes the index of the data directory again from its segments. Owns what is said;
 *  storage/embedded/rebuildEmbeddedIndex.ts does it, and takes the directory's lock against a running server. */
import { Console, Effect, Layer } from "effect";
import { Command } from "effect/cli";
import { dataPaths } from "../platform/paths.ts";
import { DataDirectory } from "../storage/embedded/DataDirectory.ts";
import { objectStoreLayer } from "../storage/embedded/mod.ts";
import { rebuildEmbeddedIndex } from "../storage/embedded/rebuildEmbeddedIndex.ts";
import { failed } from "./failure.ts";
import { ProcessSettings, settingsHelp } from "./processSettings.ts";

export const rebuildIndex = Command.make(
  "rebuild-index",
  {},
  Effect.fnUntraced(function* () {
    const { load } = yield* ProcessSettings;
    const { settings } = yield* load;
    const { root, index } = dataPaths(settings.common.path_prefix);
    const directory = DataDirectory.layer(root);
    const report = yield* rebuildEmbeddedIndex().pipe(
      Effect.provide(objectStoreLayer(settings).pipe(Layer.provideMerge(directory))),
      Effect.mapError((error) => failed(error.message)),
    );
    yield* Console.log(`${index} now has ${report.segments} segments`);
    for (const key of report.left) {
      yield* Console.log(`left out ${key}: other segments hold its lines`);
    }
  }),
).pipe(
  Command.withShortDescription("Make the index again from the segments"),
  Command.withDescription(
    "Make the index of the data directory again from its segments, which hold all it knows. No\n" +
      `server may be running on the directory. An interruption changes nothing.\n\n${settingsHelp}`,
  ),
  Command.withExamples([
    {
      command: "tailrace rebuild-index --common.path-prefix=/var/lib/tailrace",
      description: "For the data in another directory",
    },
  ]),
);
